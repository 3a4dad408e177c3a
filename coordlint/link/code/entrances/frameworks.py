"""The vocabulary of frameworks: which of their decorators, registrations and base classes make a function an entry point.

Tables of (kind, libraries, names). A library is the first part of a dotted name. "*" stands for names that say enough
alone, where the object they are asked of is not known.
"""

from __future__ import annotations

Rows = tuple[tuple[str, str, str], ...]
Table = dict[str, dict[str, str]]


def _table(rows: Rows) -> Table:
    """library -> name -> kind"""
    made: Table = {}
    for kind, libraries, names in rows:
        for library in libraries.split():
            made.setdefault(library, {}).update(dict.fromkeys(names.split(), kind))
    return made


_WEB = "flask quart sanic bottle fastapi starlette litestar aiohttp chalice ninja flask_restx flask_restplus flask_smorest apiflask robyn connexion falcon"
_VERBS = "route get post put patch delete head options trace websocket api_route websocket_route view endpoint api_operation"

DECORATORS: Table = _table((
    ("http", _WEB, _VERBS),
    ("http", "flask quart sanic bottle fastapi starlette aiohttp chalice", "before_request after_request teardown_request before_app_request after_app_request middleware on_request on_response errorhandler exception_handler context_processor hook"),
    ("http", "rest_framework", "api_view action detail_route list_route"),
    ("http", "pyramid cornice", "view_config notfound_view_config forbidden_view_config"),
    ("http", "flask_login flask_httpauth flask_jwt_extended", "user_loader request_loader verify_password verify_token token_in_blocklist_loader user_lookup_loader"),
    ("http", "strawberry graphene ariadne", "field mutation query"),
    ("consumer", "flask_socketio socketio channels", "on event on_event on_message"),
    ("startup", "flask", "before_first_request"),
    ("startup", "fastapi starlette sanic quart", "on_event on_startup listener before_server_start after_server_start main_process_start before_serving"),
    ("command", "flask quart", "command cli"),
    ("task", "celery", "task shared_task"),
    ("task", "rq django_rq flask_rq2 rq_scheduler", "job"),
    ("task", "dramatiq huey taskiq procrastinate arq saq django_q spinach lithops background_task django_tasks oban streaq", "actor task db_task task_scheduler background shared_task job"),
    ("task", "airflow prefect dagster metaflow luigi flytekit", "task flow op asset step dag job multi_asset"),
    ("periodic", "celery", "periodic_task"),
    ("periodic", "huey", "periodic_task db_periodic_task"),
    ("periodic", "procrastinate", "periodic"),
    ("periodic", "apscheduler flask_apscheduler", "scheduled_job task"),
    ("periodic", "oslo_service futurist periodiq dramatiq_crontab uwsgidecorators rocketry discord fastapi_utils fastapi_restful aiocron schedule ironic_lib nova", "periodic_task periodic cron crontab timer repeat_every loop task repeat"),
    ("periodic", "kopf", "timer"),
    ("periodic", "dagster", "schedule sensor"),
    ("periodic", "chalice", "schedule"),
    ("consumer", "kopf", "create update delete resume field event daemon index mutate validate"),
    ("startup", "kopf", "startup login"),
    ("consumer", "faust", "agent"),
    ("periodic", "faust", "timer crontab"),
    ("command", "faust", "command"),
    ("consumer", "faststream propan nats aio_pika kombu nameko pulsar flask_kafka", "subscriber rpc event_handler consume handle consumer"),
    ("consumer", "chalice", "on_sqs_message on_sns_message on_s3_event on_kinesis_record on_dynamodb_record lambda_function"),
    ("periodic", "nameko", "timer"),
    ("http", "nameko", "http"),
    ("command", "click typer invoke fabric flask_script argh baker cleo rich_click asyncclick cyclopts", "command group callback task arg argument option"),
    ("signal", "django", "receiver"),
    ("signal", "sqlalchemy", "listens_for"),
    ("signal", "celery blinker flask", "connect connect_via"),
))  # fmt: skip

INJECTS = ("Depends", "Security")  # called by the framework for a handler, as the handler itself could
CELERY_STARTS = "worker_ready worker_init worker_process_init beat_init celeryd_init celeryd_after_setup on_after_configure on_after_finalize".split()

REGISTRATIONS: Table = _table((
    ("http", "django", "path re_path url"),
    ("http", "rest_framework rest_framework_nested rest_framework_extensions", "register"),
    ("http", "flask quart flask_restful flask_restx flask_restplus flask_smorest flask_appbuilder flask_admin", "add_url_rule add_resource add_view add_view_no_menu register_error_handler"),
    ("http", "fastapi starlette", "add_api_route add_route add_websocket_route add_api_websocket_route Route WebSocketRoute add_middleware"),
    ("http", "aiohttp", "add_get add_post add_put add_patch add_delete add_head add_route add_view get post put patch delete view route"),
    ("http", "sanic falcon bottle chalice webapp2 web", "add_route route add_sink add_websocket_route"),
    ("http", "pyramid", "add_view"),
    ("http", "tornado", "Application add_handlers url URLSpec Rule"),
    ("http", "fastapi", "Depends Security"),
    ("startup", "fastapi starlette", "add_event_handler"),
    ("startup", "fastapi starlette", "FastAPI Starlette"),
    ("task", "rq django_rq", "enqueue enqueue_call enqueue_in enqueue_at enqueue_many"),
    ("task", "django_q", "async_task"),
    ("task", "arq saq", "func Worker run_worker create_worker"),
    ("task", "airflow", "PythonOperator BranchPythonOperator ShortCircuitOperator PythonVirtualenvOperator PythonSensor"),
    ("periodic", "apscheduler flask_apscheduler django_apscheduler", "add_job modify_job"),
    ("periodic", "rq_scheduler", "schedule cron"),
    ("periodic", "arq", "cron"),
    ("periodic", "celery", "add_periodic_task"),
    ("periodic", "schedule", "do"),
    ("periodic", "oslo_service twisted tornado", "FixedIntervalLoopingCall DynamicLoopingCall FixedIntervalWithTimeoutLoopingCall add_timer LoopingCall PeriodicCallback add_timer_args"),
    ("periodic", "aiocron", "crontab"),
    ("periodic", "telegram", "run_repeating run_daily"),
    ("consumer", "pika", "basic_consume"),
    ("consumer", "kombu", "Consumer register_callback"),
    ("consumer", "aio_pika aiormq", "consume basic_consume"),
    ("consumer", "nats stomp paho google", "subscribe message_callback_add"),
    ("endpoint", "oslo_messaging", "get_rpc_server get_notification_listener get_batch_notification_listener"),
    ("endpoint", "xmlrpc", "register_instance"),
    ("interrupt", "signal", "signal"),
    ("interrupt", "*", "add_signal_handler"),
    ("command", "fire argh clize plac defopt", "Fire dispatch_command dispatch_commands run call"),
    ("command", "argparse", "set_defaults"),
    ("signal", "django blinker", "connect"),
    ("signal", "sqlalchemy", "listen"),
    ("http", "*", "add_url_rule add_api_route add_resource"),
    ("task", "*", "enqueue_call"),
    ("periodic", "*", "add_job add_periodic_task"),
    ("consumer", "*", "basic_consume"),
    ("command", "*", "set_defaults"),
))  # fmt: skip
# Servers of remote calls, and the position of the objects whose methods answer them.
ENDPOINTS = {"get_rpc_server": 2, "get_notification_listener": 2, "get_batch_notification_listener": 2, "register_instance": 0}
# Parameters by which a consumer is told what to do with a message, whoever wrote that consumer.
CALLBACKS = frozenset("callback on_message message_callback message_handler handler process_message on_message_callback".split())
CONSUMING = frozenset("consumer consume subscriber subscription".split())
REGISTERING = frozenset(name for names in REGISTRATIONS.values() for name in names)

# Base classes by their last name, and the methods that a framework calls on them.
BASES: tuple[tuple[str, str, str], ...] = (
    (
        "http",
        "View APIView ViewSet ModelViewSet GenericViewSet GenericAPIView Resource MethodView MethodResource RequestHandler WebSocketHandler "
        "HTTPEndpoint WebSocketEndpoint HTTPMethodView TemplateView ListView DetailView CreateView UpdateView DeleteView FormView RedirectView "
        "ReadOnlyModelViewSet ListAPIView CreateAPIView RetrieveAPIView UpdateAPIView DestroyAPIView ListCreateAPIView RetrieveUpdateAPIView "
        "RetrieveDestroyAPIView RetrieveUpdateDestroyAPIView ViewSetMixin BaseHTTPMiddleware MiddlewareMixin BaseHTTPRequestHandler SimpleHTTPRequestHandler "
        "RestController BaseView ModelView",
        "get post put patch delete head options dispatch list create retrieve update destroy partial_update perform_create perform_update perform_destroy "
        "process_request process_response process_view process_exception __call__ prepare on_get on_post on_put on_delete on_patch get_queryset get_object "
        "get_context_data form_valid form_invalid do_GET do_POST do_PUT do_DELETE do_HEAD do_PATCH on_message open receive",
    ),
    ("http", "WebsocketConsumer AsyncWebsocketConsumer JsonWebsocketConsumer AsyncJsonWebsocketConsumer", "connect disconnect receive receive_json"),
    ("http", "Serializer ModelSerializer HyperlinkedModelSerializer", "create update save validate to_representation to_internal_value"),
    ("http", "ModelAdmin", "save_model delete_model get_queryset response_change response_add"),
    ("http", "BaseAuthentication BasePermission BaseThrottle SimpleRateThrottle", "authenticate has_permission has_object_permission allow_request"),
    ("task", "Task BaseTask Job QueueOnce Singleton BaseOperator BaseSensorOperator", "run execute poke"),
    ("periodic", "CronJobBase", "do"),
    ("periodic", "Scheduler PersistentScheduler DatabaseScheduler RedBeatScheduler", "tick"),
    ("command", "BaseCommand NoArgsCommand AppCommand LabelCommand Command Lister ShowOne", "handle handle_noargs handle_app handle_label take_action run_command"),
    ("consumer", "ConsumerMixin ConsumerProducerMixin", "get_consumers on_message on_task"),
    ("startup", "AppConfig", "ready"),
)  # fmt: skip

# Objects from which a loop takes messages, and the calls by which it does.
TAKES = frozenset("poll consume receive_message receive receive_messages getone getmany next_msg fetch pull get_message listen".split())
MESSAGES = ("kafka.", "aiokafka.", "confluent_kafka.", "boto3:sqs", "pulsar.", "nats.", "aio_pika.", "pika.", "google.cloud.pubsub", "azure.servicebus", "stomp.")

SCHEDULES = frozenset(("beat_schedule", "CELERYBEAT_SCHEDULE", "CELERY_BEAT_SCHEDULE", "CELERYBEAT_SCHEDULES"))

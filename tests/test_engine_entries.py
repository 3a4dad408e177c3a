"""Entry points: who calls a function of the project, by decorators, base classes, registrations and package metadata."""

from textwrap import dedent

import pytest
from systems import MODELS, system

from coordlint.extract import extract
from coordlint.link import link
from coordlint.source import Kind, Source


def entered(files: dict[str, str] | None = None, /, **modules: str) -> set[tuple[str, str]]:
    """(symbol, kind) of every entry point."""
    return {(e.symbol, e.kind) for e in system(files, **modules).entries()}


def routes(files: dict[str, str] | None = None, /, **modules: str) -> dict[str, str]:
    return {e.symbol: e.route for e in system(files, **modules).entries("http")}


# -- HTTP ----------------------------------------------------------------------------------------------------------

FLASK = {
    "app.py": """
        from flask import Flask
        from flask.views import MethodView
        from shop import shop
        app = Flask(__name__)

        @app.route("/pay")
        def pay(): ...

        def home(): ...
        app.add_url_rule("/", view_func=home)

        class Cart(MethodView):
            def get(self): ...
            def total(self): ...
        app.add_url_rule("/cart", view_func=Cart.as_view("cart"))

        @app.cli.command("sweep")
        def sweep(): ...

        @app.before_request
        def load_user(): ...

        @app.before_first_request
        def warm(): ...
    """,
    "shop.py": """
        from flask import Blueprint
        shop = Blueprint("shop", __name__)

        @shop.get("/goods")
        def goods(): ...
    """,
}


def test_routes_of_flask_its_views_and_its_commands_are_entry_points():
    assert entered(FLASK) == {
        ("app.pay", "http"), ("app.home", "http"), ("app.Cart.get", "http"), ("app.sweep", "command"),
        ("app.load_user", "http"), ("app.warm", "startup"), ("shop.goods", "http"),
    }  # fmt: skip


def test_a_route_is_told_by_its_decorator_or_by_its_rule():
    told = routes(FLASK)
    assert (told["app.pay"], told["app.home"], told["app.Cart.get"], told["shop.goods"]) == ("/pay", "/", "/cart", "/goods")


def test_a_route_stands_behind_the_prefix_of_its_router():
    found = routes(
        a="from fastapi import APIRouter\nr = APIRouter(prefix='/shop')\n@r.get('')\ndef all_(): ...\n@r.get('/one')\ndef one(): ...",
        b="from flask import Blueprint\nb = Blueprint('b', __name__, url_prefix='/b/')\n@b.route('/pay')\ndef pay(): ...",
    )
    assert found == {"a.all_": "/shop", "a.one": "/shop/one", "b.pay": "/b/pay"}


def test_resources_of_flask_restful_are_handlers_by_class_and_by_registration():
    found = routes(app="""
        from flask_restful import Api, Resource
        api = Api()
        class Stock(Resource):
            def get(self): ...
        class Plain:
            def post(self): ...
        api.add_resource(Stock, "/stock")
        api.add_resource(Plain, "/plain")
    """)
    assert found == {"app.Stock.get": "/stock", "app.Plain.post": "/plain"}


def test_an_application_that_a_factory_makes_is_known_by_what_the_factory_returns():
    found = entered(
        make="""
            from fastapi import FastAPI
            def create():
                app = FastAPI()
                return app
        """,
        main="""
            from make import create
            service = create()
            @service.put("")
            def put(): ...
        """,
    )
    assert ("main.put", "http") in found


def test_fastapi_routers_dependencies_and_lifespan():
    found = entered(app="""
        from typing import Annotated
        from fastapi import APIRouter, Depends, FastAPI

        async def lifespan(app): ...
        def client(): ...
        def user(): ...
        app = FastAPI(lifespan=lifespan)
        things = APIRouter()

        @things.post("/pay")
        async def pay(c=Depends(client), u: Annotated[str, Depends(user)] = ""): ...

        @app.on_event("startup")
        def connect(): ...

        def late(): ...
        app.add_event_handler("startup", late)
        def plain(): ...
        things.add_api_route("/plain", plain)
    """)
    assert found == {
        ("app.lifespan", "startup"), ("app.client", "http"), ("app.user", "http"), ("app.pay", "http"),
        ("app.connect", "startup"), ("app.late", "startup"), ("app.plain", "http"),
    }  # fmt: skip


def test_starlette_routes_and_endpoints():
    found = routes(app="""
        from starlette.applications import Starlette
        from starlette.endpoints import HTTPEndpoint
        from starlette.routing import Route
        async def home(request): ...
        class Pay(HTTPEndpoint):
            async def post(self, request): ...
        app = Starlette(routes=[Route("/", home), Route("/pay", Pay)])
    """)
    assert found == {"app.home": "/", "app.Pay.post": "/pay"}


DJANGO = {
    "shop/urls.py": """
        from django.urls import include, path, re_path
        from django.views.decorators.csrf import csrf_exempt
        from shop import handlers
        from shop.handlers import Orders
        urlpatterns = [
            path("pay/", handlers.pay),
            path("orders/", Orders.as_view()),
            re_path(r"^hook$", csrf_exempt(handlers.hook)),
            path("more/", include("shop.more")),
        ]
    """,
    "shop/handlers.py": """
        from django.views import View
        from rest_framework.decorators import api_view, action
        from rest_framework.viewsets import ModelViewSet
        def pay(request): ...
        def hook(request): ...
        def helper(request): ...
        class Orders(View):
            def get(self, request): ...
        @api_view(["POST"])
        def refund(request): ...
        class Stock(ModelViewSet):
            def list(self, request): ...
            @action(detail=True)
            def reserve(self, request): ...
    """,
    "shop/management/commands/sweep.py": """
        from django.core.management.base import BaseCommand
        class Command(BaseCommand):
            def handle(self, *args, **options): ...
    """,
    "shop/signals.py": """
        from django.db.models.signals import post_save, pre_delete
        from django.dispatch import receiver
        @receiver(post_save)
        def saved(sender, **kwargs): ...
        def gone(sender, **kwargs): ...
        pre_delete.connect(gone)
    """,
    "shop/middleware.py": """
        class Limit:
            def __init__(self, get_response):
                self.get_response = get_response
            def __call__(self, request): ...
    """,
    "shop/apps.py": """
        from django.apps import AppConfig
        class Shop(AppConfig):
            def ready(self): ...
    """,
}


def test_views_of_django_are_found_where_urls_name_them():
    found = {symbol.removeprefix("shop."): kind for symbol, kind in entered(DJANGO)}
    assert found == {
        "handlers.pay": "http", "handlers.hook": "http", "handlers.Orders.get": "http", "handlers.refund": "http",
        "handlers.Stock.list": "http", "handlers.Stock.reserve": "http", "management.commands.sweep.Command.handle": "command",
        "signals.saved": "signal", "signals.gone": "signal", "middleware.Limit.__call__": "http", "apps.Shop.ready": "startup",
    }  # fmt: skip


def test_routes_of_django_begin_with_a_slash_and_patterns_are_none():
    told = routes(DJANGO)
    assert (told["shop.handlers.pay"], told["shop.handlers.Orders.get"], told["shop.handlers.hook"]) == ("/pay/", "/orders/", "")


@pytest.mark.parametrize(
    ("source", "symbol"),
    [
        ("from aiohttp import web\nroutes = web.RouteTableDef()\n@routes.get('/')\nasync def home(request): ...", "app.home"),
        ("from aiohttp import web\nasync def home(r): ...\napp = web.Application()\napp.router.add_get('/', home)", "app.home"),
        ("from aiohttp import web\nasync def home(r): ...\napp = web.Application()\napp.add_routes([web.post('/', home)])", "app.home"),
        ("import tornado.web\nclass Home(tornado.web.RequestHandler):\n    def get(self): ...", "app.Home.get"),
        ("from sanic import Sanic\napp = Sanic('a')\n@app.route('/')\nasync def home(request): ...", "app.home"),
        ("import falcon\nclass Things:\n    def on_get(self, req, resp): ...\napp = falcon.App()\napp.add_route('/t', Things())", "app.Things.on_get"),
        ("from pyramid.view import view_config\n@view_config(route_name='home')\ndef home(request): ...", "app.home"),
        ("from pyramid.config import Configurator\ndef home(r): ...\nc = Configurator()\nc.add_view(home)", "app.home"),
        ("import pay_pb2_grpc\nclass Pay(pay_pb2_grpc.PayServicer):\n    def Charge(self, request, context): ...", "app.Pay.Charge"),
    ],
)  # fmt: skip
def test_other_web_frameworks(source: str, symbol: str):
    assert (symbol, "http") in entered(app=source)


# -- tasks ---------------------------------------------------------------------------------------------------------


def test_tasks_of_celery_are_periodic_where_the_schedule_names_them():
    found = entered({
        "work/app.py": """
            from celery import Celery
            from work import tasks
            app = Celery("work")
            app.conf.beat_schedule = {
                "sweep": {"task": "work.tasks.sweep", "schedule": 30},
                "named": {"task": "by-its-name", "schedule": 30},
            }

            @app.on_after_configure.connect
            def plan(sender, **kwargs):
                sender.add_periodic_task(10.0, tasks.poll.s())
        """,
        "work/tasks.py": """
            from celery import shared_task
            from celery.signals import worker_ready, task_failure
            @shared_task
            def sweep(): ...
            @shared_task(name="by-its-name")
            def other(): ...
            @shared_task()
            def poll(): ...
            @shared_task
            def rare(): ...
            @worker_ready.connect
            def begin(**kwargs): ...
            @task_failure.connect
            def tell(**kwargs): ...
        """,
    })  # fmt: skip
    periodic = {s for s, kind in found if kind == "periodic"}
    assert periodic == {"work.tasks.sweep", "work.tasks.other", "work.tasks.poll"}
    assert {s for s, kind in found if kind == "task"} == periodic | {"work.tasks.rare"}
    assert {("work.tasks.begin", "startup"), ("work.tasks.tell", "signal"), ("work.app.plan", "startup")} <= found


def test_a_schedule_in_django_settings_names_tasks_as_well():
    found = entered({
        "shop/settings.py": 'CELERY_BEAT_SCHEDULE = {"a": {"task": "shop.tasks.sweep", "schedule": 5}}',
        "shop/tasks.py": "from celery import shared_task\n@shared_task\ndef sweep(): ...",
    })  # fmt: skip
    assert ("shop.tasks.sweep", "periodic") in found


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("from rq import Queue\ndef f(): ...\nq = Queue()\nq.enqueue(f, 1)", "task"),
        ("from rq.decorators import job\n@job('low')\ndef f(): ...", "task"),
        ("from django_rq import job\n@job\ndef f(): ...", "task"),
        ("import dramatiq\n@dramatiq.actor\ndef f(): ...", "task"),
        ("from huey import RedisHuey\nhuey = RedisHuey()\n@huey.task()\ndef f(): ...", "task"),
        ("from huey import RedisHuey, crontab\nhuey = RedisHuey()\n@huey.periodic_task(crontab())\ndef f(): ...", "periodic"),
        ("async def f(ctx): ...\nclass WorkerSettings:\n    functions = [f]\n    redis_settings = None", "task"),
        ("from arq import cron\nasync def f(ctx): ...\nclass WorkerSettings:\n    cron_jobs = [cron(f, hour=1)]", "periodic"),
        ("from apscheduler.schedulers.background import BackgroundScheduler\ndef f(): ...\ns = BackgroundScheduler()\ns.add_job(f, 'cron')", "periodic"),
        ("from apscheduler.schedulers.blocking import BlockingScheduler\ns = BlockingScheduler()\n@s.scheduled_job('cron')\ndef f(): ...", "periodic"),
        ("from taskiq import InMemoryBroker\nbroker = InMemoryBroker()\n@broker.task\nasync def f(): ...", "task"),
        ("from taskiq import InMemoryBroker\nbroker = InMemoryBroker()\n@broker.task(schedule=[{'cron': '*'}])\nasync def f(): ...", "periodic"),
        ("import procrastinate\napp = procrastinate.App()\n@app.periodic(cron='* * * * *')\n@app.task\ndef f(t): ...", "periodic"),
        ("from oslo_service import periodic_task\n@periodic_task.periodic_task(spacing=5)\ndef f(): ...", "periodic"),
        ("from futurist import periodics\n@periodics.periodic(5)\ndef f(): ...", "periodic"),
        ("from oslo_service import loopingcall\ndef f(): ...\nloopingcall.FixedIntervalLoopingCall(f).start(5)", "periodic"),
        ("import kopf\n@kopf.on.create('things')\ndef f(**_): ...", "consumer"),
        ("import kopf\n@kopf.timer('things', interval=5)\ndef f(**_): ...", "periodic"),
        ("from airflow.operators.python import PythonOperator\ndef f(): ...\nPythonOperator(task_id='f', python_callable=f)", "task"),
        ("from airflow.decorators import task\n@task\ndef f(): ...", "task"),
        ("from prefect import flow\n@flow\ndef f(): ...", "task"),
        ("from dagster import asset\n@asset\ndef f(): ...", "task"),
        ("import schedule\ndef f(): ...\nschedule.every(5).minutes.do(f)", "periodic"),
    ],
)  # fmt: skip
def test_tasks_and_schedules_of_other_libraries(source: str, kind: str):
    assert ("app.f", kind) in entered(app=source)


def test_a_task_class_runs_its_run_method():
    found = entered(app="from celery import Task\nclass Pay(Task):\n    def run(self): ...\n    def helper(self): ...")
    assert found == {("app.Pay.run", "task")}


# -- consumers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "from kafka import KafkaConsumer\ndef f():\n    for m in KafkaConsumer('t'):\n        print(m)",
        "from kafka import KafkaConsumer\nc = KafkaConsumer('t')\ndef f():\n    while True:\n        c.poll(1)",
        "from confluent_kafka import Consumer\nc = Consumer({})\ndef f():\n    while True:\n        m = c.poll(1)",
        "from aiokafka import AIOKafkaConsumer\nasync def f():\n    c = AIOKafkaConsumer('t')\n    async for m in c:\n        print(m)",
        "import boto3\nsqs = boto3.client('sqs')\ndef f():\n    while True:\n        sqs.receive_message(QueueUrl='q')",
        "import pika\ndef f(ch, method, props, body): ...\nch = pika.BlockingConnection().channel()\nch.basic_consume('q', on_message_callback=f)",
        "from kombu import Consumer\ndef f(body, message): ...\nConsumer(None, callbacks=[f])",
        "import faust\napp = faust.App('a')\n@app.agent()\nasync def f(stream): ...",
        "import nats\nasync def f(msg): ...\nasync def main():\n    nc = await nats.connect()\n    await nc.subscribe('s', cb=f)",
    ],
)  # fmt: skip
def test_consumers_by_their_loop_and_by_their_callback(source: str):
    assert ("app.f", "consumer") in entered(app=source)


def test_a_consumer_that_an_object_keeps_is_known_in_its_methods():
    found = entered(app="""
        from kafka import KafkaConsumer
        class Reader:
            def __init__(self):
                self._consumer = KafkaConsumer("t")
            def run(self):
                for message in self._consumer:
                    print(message)
    """)
    assert ("app.Reader.run", "consumer") in found


def test_endpoints_of_oslo_messaging_and_functions_of_lambda_are_consumers():
    assert entered(app="""
        import oslo_messaging as messaging
        class Manager:
            target = messaging.Target(version="1.0")
            def build(self, context): ...
            def start(self): ...
            def _inside(self, context): ...
        def lambda_handler(event, context): ...
        def other(event, context): ...
    """) == {("app.Manager.build", "consumer"), ("app.lambda_handler", "consumer")}


def test_a_loop_over_anything_else_is_no_consumer():
    assert not entered(app="import queue\nq = queue.Queue()\ndef f():\n    while True:\n        q.get()\n    for x in things:\n        x.poll()")


# -- commands, mains, tests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "import click\n@click.command()\ndef f(): ...",
        "import click\n@click.group()\ndef cli(): ...\n@cli.command()\ndef f(): ...",
        "import typer\napp = typer.Typer()\n@app.command()\ndef f(): ...",
        "import argparse\ndef f(args): ...\np = argparse.ArgumentParser()\ns = p.add_subparsers().add_parser('f')\ns.set_defaults(func=f)",
        "import fire\ndef f(): ...\nfire.Fire(f)",
        "from invoke import task\n@task\ndef f(c): ...",
    ],
)
def test_commands(source: str):
    assert ("app.f", "command") in entered(app=source)
    assert ("app.f", "task") not in entered(app=source)


def test_a_command_of_cliff_takes_action():
    assert ("app.Sweep.take_action", "command") in entered(app="from cliff.command import Command\nclass Sweep(Command):\n    def take_action(self, args): ...")


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("pyproject.toml", Kind.REQUIREMENTS, '[project]\nname = "x"\n[project.scripts]\nsweep = "work.cli:main"\n'),
        ("pyproject.toml", Kind.REQUIREMENTS, '[tool.poetry.scripts]\nsweep = "work.cli:main"\n'),
        ("setup.cfg", Kind.REQUIREMENTS, "[options.entry_points]\nconsole_scripts =\n    sweep = work.cli:main\n"),
        ("setup.cfg", Kind.REQUIREMENTS, "[entry_points]\nconsole_scripts =\n    sweep = work.cli:main\n"),
        ("setup.py", Kind.PYTHON, 'from setuptools import setup\nsetup(entry_points={"console_scripts": ["sweep=work.cli:main"]})\n'),
    ],
)
@pytest.mark.parametrize("root", ["", "src/"])
def test_console_scripts_of_a_package_are_commands(name: str, kind: Kind, text: str, root: str):
    sources = [Source(name, kind, text), Source(f"{root}work/cli.py", Kind.PYTHON, "def main(): ...\ndef other(): ...\n")]
    (entry,) = link([extract(s) for s in sources], MODELS).entries()
    assert (entry.symbol.endswith("work.cli.main"), entry.kind, entry.reason) == (True, "command", "console script sweep")


def test_mains_stand_in_modules_and_packages():
    found = entered({"run.py": 'def main(): ...\nif __name__ == "__main__":\n    main()', "tool/__main__.py": "from tool import go\ngo()"})
    assert found == {("run", "main"), ("tool.__main__", "main")}


def test_tests_are_entry_points_of_their_own_kind_and_register_nothing():
    found = entered({
        "tests/test_pay.py": """
            from flask import Flask
            from pay import bill
            app = Flask(__name__)
            def test_bill(): ...
            @app.route("/")
            def fake(): ...
            app.add_url_rule("/bill", view_func=bill)
        """,
        "pay.py": "def bill(): ...",
    })  # fmt: skip
    assert found == {("tests.test_pay.test_bill", "test")}


# -- what is none --------------------------------------------------------------------------------------------------


def test_decorators_of_containers_caches_and_mocks_are_no_routes():
    assert not entered(app="""
        import functools
        from unittest import mock
        @functools.cache
        def a(): ...
        @mock.patch("x.y")
        def b(): ...
        class C:
            @property
            def get(self): ...
            @get.setter
            def get(self, value): ...
        handlers = {}
        @handlers.get("key")
        def d(): ...
    """)


def test_which_entry_points_reach_a_function_is_told_across_modules():
    found = system(
        web="from flask import Flask\nfrom pay import bill\napp = Flask(__name__)\n@app.post('/pay')\ndef pay():\n    bill()",
        pay="def bill():\n    charge()\ndef charge(): ...",
    ).entries_reaching("pay.charge")
    assert [(e.symbol, e.kind, e.route) for e in found] == [("web.pay", "http", "/pay")]


def test_order_of_files_does_not_matter():
    sources = [Source(path, Kind.PYTHON, dedent(text)) for path, text in sorted(DJANGO.items())]
    facts = [extract(s) for s in sources]
    assert link(facts, MODELS).entries() == link(facts[::-1], MODELS).entries()


# -- remote calls, consumers of the project, signals of the operating system -------------------------------------------


def test_methods_of_an_endpoint_that_a_server_of_remote_calls_is_given() -> None:
    found = entered({
        "crane/engine.py": """
            class Engine:
                def lift(self, ctx, load): ...
                def weigh(self, load): ...
                def _note(self, ctx): ...
        """,
        "crane/serve.py": """
            import oslo_messaging as messaging
            from crane.engine import Engine

            def serve(transport, target):
                engine = Engine()
                return messaging.get_rpc_server(transport, target, [engine], executor="threading")
        """,
    })  # fmt: skip
    assert found == {("crane.engine.Engine.lift", "consumer")}


def test_what_a_consumer_of_the_project_is_told_to_call() -> None:
    found = entered({
        "crane/bus.py": """
            class LoadConsumer:
                def __init__(self, topic, callback):
                    self.callback = callback
        """,
        "crane/work.py": """
            from crane.bus import LoadConsumer

            def lift(message): ...

            def begin():
                return LoadConsumer("loads", callback=lift)
        """,
    })  # fmt: skip
    assert found == {("crane.work.lift", "consumer")}


def test_a_handler_of_a_signal() -> None:
    assert entered(a="import signal\n\ndef stop(number, frame): ...\n\nsignal.signal(signal.SIGTERM, stop)\n") == {("a.stop", "interrupt")}


def test_a_bare_decorator_with_a_path_is_a_route_of_whatever_framework() -> None:
    assert entered(a="from house.web import route\n\n@route('/plants/<name>', methods=['GET'])\ndef plant(name): ...\n") == {("a.plant", "http")}
    assert entered(a="from house.tools import route\n\n@route('plants')\ndef plant(name): ...\n") == set()


def test_the_function_that_makes_the_application_is_its_start() -> None:
    files = {
        "app.py": """
        from flask import Flask
        from aiohttp import web
        class Flasks:
            def make(self):
                app = Flask(__name__)
                return app
        def create_app(config=None):
            app = Flask(__name__)
            return app
        def init():
            app = web.Application()
            return app
        def other():
            app = Flask(__name__)
            app.run()
        def named(app):
            return app
        """
    }
    assert entered({path: dedent(text) for path, text in files.items()}) == {("app.create_app", "startup"), ("app.init", "startup")}

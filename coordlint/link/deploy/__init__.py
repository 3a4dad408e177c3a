"""The deployment half of the linker: manifests, images and scripts to workloads, coordinators and what runs where."""

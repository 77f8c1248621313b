"""Stand-ins for AWS (moto's server, in memory): S3, SQS, SES, Secrets Manager on one local port."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parseaddr
from typing import Any

from local.template import Template

REGION = "eu-central-1"

# moto reads no credentials, but botocore signs with some. Never real ones: see `environment`.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_SESSION_TOKEN": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def running() -> Iterator[str]:
    """Serve the stand-ins on a free loopback port; yields their endpoint URL. Nothing is kept."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line a request otherwise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def client(service: str, endpoint: str | None) -> Any:
    """A boto3 client for a stand-in (or for AWS itself, when there is no endpoint)."""
    import boto3

    given: dict[str, Any] = {}
    if endpoint is not None:
        given = {
            "endpoint_url": endpoint,
            "region_name": REGION,
            "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }
    return boto3.client(service, **given)  # type: ignore[call-overload]


def create_resources(template: Template, endpoint: str) -> None:
    """Create the buckets, mail identities and queues that the template names; again is harmless."""
    if template.buckets:
        storage = client("s3", endpoint)
        existing = {bucket["Name"] for bucket in storage.list_buckets()["Buckets"]}
        for name in template.buckets:
            if name not in existing:
                storage.create_bucket(
                    Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
                )
    mail = client("ses", endpoint)
    for identity in {*template.identities, _sender_domain()}:
        mail.verify_domain_identity(Domain=identity)
    if template.queues:
        create_queues(template, client("sqs", endpoint))


def _sender_domain() -> str:
    """Of the address that mails come from here: in the template it is a parameter."""
    from studypack.core.config import get_settings

    return parseaddr(get_settings().mail_from)[1].rpartition("@")[2]


def create_queues(template: Template, sqs: Any) -> dict[str, str]:
    """Create the template's queues, dead-letter queues first; return the URL of each logical id."""
    urls: dict[str, str] = {}
    for queue in sorted(template.queues, key=lambda each: each.dead_letter is not None):
        attributes = {"VisibilityTimeout": str(queue.visibility_seconds)}
        if queue.dead_letter is not None:
            dead = sqs.get_queue_attributes(
                QueueUrl=urls[queue.dead_letter], AttributeNames=["QueueArn"]
            )
            attributes["RedrivePolicy"] = json.dumps(
                {
                    "deadLetterTargetArn": dead["Attributes"]["QueueArn"],
                    "maxReceiveCount": queue.max_receives,
                }
            )
        created = sqs.create_queue(QueueName=queue.name, Attributes=attributes)
        urls[queue.logical_id] = created["QueueUrl"]
    return urls

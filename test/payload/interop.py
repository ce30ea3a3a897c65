"""A process in Python with a codec of its own, written from the documented forms alone."""

import asyncio
import base64
import dataclasses
import json
import os
import sys
import uuid
import zlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


class ZlibCodec(PayloadCodec):
    """binary/zlib: the serialized payload, compressed."""

    async def encode(self, payloads):
        return [
            Payload(
                metadata={"encoding": b"binary/zlib"},
                data=zlib.compress(payload.SerializeToString()),
            )
            for payload in payloads
        ]

    async def decode(self, payloads):
        return [self.decode_one(payload) for payload in payloads]

    def decode_one(self, payload):
        if payload.metadata["encoding"] != b"binary/zlib":
            return payload
        return Payload.FromString(zlib.decompress(payload.data))


class EncryptionCodec(PayloadCodec):
    """binary/encrypted: nonce, ciphertext and tag of the serialized payload."""

    def __init__(self, keys):
        self.keys = {key_id: AESGCM(base64.b64decode(key)) for key_id, key in keys}
        self.first = keys[0][0]

    async def encode(self, payloads):
        return [self.encode_one(payload) for payload in payloads]

    def encode_one(self, payload):
        nonce = os.urandom(12)
        sealed = self.keys[self.first].encrypt(nonce, payload.SerializeToString(), None)
        metadata = {"encoding": b"binary/encrypted", "encryption-key-id": self.first.encode()}
        return Payload(metadata=metadata, data=nonce + sealed)

    async def decode(self, payloads):
        return [self.decode_one(payload) for payload in payloads]

    def decode_one(self, payload):
        if payload.metadata["encoding"] != b"binary/encrypted":
            return payload
        aes = self.keys[payload.metadata["encryption-key-id"].decode()]
        return Payload.FromString(aes.decrypt(payload.data[:12], payload.data[12:], None))


class Both(PayloadCodec):
    def __init__(self, keys):
        self.zlib, self.encryption = ZlibCodec(), EncryptionCodec(keys)

    async def encode(self, payloads):
        return await self.encryption.encode(await self.zlib.encode(payloads))

    async def decode(self, payloads):
        return await self.zlib.decode(await self.encryption.decode(payloads))


@workflow.defn(name="pythonCaller")
class PythonCaller:
    @workflow.run
    async def run(self, spec: dict, task_queue: str) -> dict:
        return await workflow.execute_child_workflow("patientPost", spec, task_queue=task_queue)


async def main(address, task_queue, url, finished, *keys):
    codec = Both([tuple(key.split(":")) for key in keys])
    converter = dataclasses.replace(DataConverter.default, payload_codec=codec)
    client = await Client.connect(address, data_converter=converter)
    body = "rosebud " * 1000
    own_queue = f"{task_queue}:python"
    worker = Worker(
        client,
        task_queue=own_queue,
        workflows=[PythonCaller],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        called = await client.execute_workflow(
            "pythonCaller",
            args=[{"url": url, "body": body}, task_queue],
            id=f"python-{uuid.uuid4()}",
            task_queue=own_queue,
        )
    read = await client.get_workflow_handle(finished).result()
    print(json.dumps({"called": called, "read": read}))


asyncio.run(main(*sys.argv[1:]))

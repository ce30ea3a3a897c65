"""Runs the workflows of workflows.py once: python main.py [BASE_URL]

BASE_URL is the target that `npm start` prints, or any server with the same routes.
TEMPORAL_ADDRESS and PATIENT_TASK_QUEUE say where Temporal and Patient HTTP are.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from patient_http import TASK_QUEUE
from workflows import CheckAll, Forecast, OrderPlaced, PlaceOrder, store


async def main(base: str) -> None:
    patient_queue = os.environ.get("PATIENT_TASK_QUEUE", TASK_QUEUE)
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"))
    queue = f"python-example-{uuid.uuid4()}"
    told: asyncio.Queue[str] = asyncio.Queue()

    @activity.defn(name="pythonTell")
    async def tell(text: str) -> None:
        await told.put(text)

    async def run(workflow: str, *args: object) -> str:
        return await client.execute_workflow(
            workflow, args=args, id=f"{workflow}-{uuid.uuid4()}", task_queue=queue, result_type=str
        )

    async with Worker(
        client,
        task_queue=queue,
        workflows=[Forecast, PlaceOrder, OrderPlaced, CheckAll],
        activities=[tell, store],
    ):
        print(await run("pythonForecast", f"{base}/slow?delay=1000", patient_queue))
        print(await run("pythonForecast", f"{base}/error?status=404", patient_queue))
        request = await run("pythonPlaceOrder", f"{base}/request", patient_queue, 17)
        print(f"order 17: handed over as {request}")
        print(await told.get())
        await run("pythonPlaceOrder", "ftp://nowhere", patient_queue, 18)
        print(await told.get())
        urls = [f"{base}/time", f"{base}/error?status=503", "http://127.0.0.1:1/"]
        print(await run("pythonCheckAll", urls, patient_queue))


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8236"))

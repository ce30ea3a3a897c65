"""Workflows in Python whose HTTP calls Patient HTTP makes."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.exceptions import ChildWorkflowError
from temporalio.workflow import ParentClosePolicy

from patient_http import (
    BatchResult,
    BatchSpec,
    CallbackArgument,
    RequestSpec,
    Response,
    SinkItem,
    request_error,
)


@workflow.defn(name="pythonForecast")
class Forecast:
    """Gets an answer that takes minutes. The wait holds no slot of this worker."""

    @workflow.run
    async def run(self, url: str, patient_queue: str) -> str:
        spec: RequestSpec = {"url": url, "timeout": "10m", "raiseErrorResponses": True}
        try:
            response = await workflow.execute_child_workflow(
                "patientGet",
                spec,
                result_type=Response,
                task_queue=patient_queue,
                # When this workflow is cancelled or ends, the request's socket is closed.
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            )
        except ChildWorkflowError as failure:
            error = request_error(failure)
            if error is None:
                raise
            if error.type == "HttpStatusError" and error.response is not None:
                return f"no forecast: status {error.response.status} after try {error.attempt}"
            if error.type == "TimeoutError":
                return "no forecast: it takes too long today"
            raise
        return f"forecast: {response.json()}"


@workflow.defn(name="pythonPlaceOrder")
class PlaceOrder:
    """Hands over a POST and ends. Its outcome comes to the callback workflow."""

    @workflow.run
    async def run(self, url: str, patient_queue: str, order: int) -> str:
        spec: RequestSpec = {
            "url": url,
            "json": {"order": order},
            # Sent once: a POST that may have arrived is not sent again, unless it has a key.
            "callback": {"workflow": "pythonOrderPlaced", "taskQueue": workflow.info().task_queue},
            "callbackArgs": {"order": order},
        }
        child = await workflow.start_child_workflow(
            "patientPost",
            spec,
            task_queue=patient_queue,
            parent_close_policy=ParentClosePolicy.ABANDON,
        )
        return child.id


@workflow.defn(name="pythonOrderPlaced")
class OrderPlaced:
    """Started by Patient HTTP, exactly once for each order."""

    @workflow.run
    async def run(self, argument: CallbackArgument) -> None:
        order = argument.callbackArgs["order"]
        if argument.error is not None:
            text = f"order {order}: {argument.error.type}, phase {argument.error.phase}"
        else:
            assert argument.response is not None
            text = f"order {order}: status {argument.response.status}"
        await workflow.execute_activity(
            "pythonTell", text, start_to_close_timeout=timedelta(seconds=10)
        )


@workflow.defn(name="pythonCheckAll")
class CheckAll:
    """Many requests as one batch, whose outcomes an activity of ours gets as they come."""

    @workflow.run
    async def run(self, urls: list[str], patient_queue: str) -> str:
        batch: BatchSpec = {
            "requests": urls,
            "defaults": {"timeout": "1m", "retry": {"maximumAttempts": 1}},
            "sink": {"activity": "pythonStore", "taskQueue": workflow.info().task_queue},
        }
        result = await workflow.execute_child_workflow(
            "patientBatch", batch, result_type=BatchResult, task_queue=patient_queue
        )
        return f"batch: {result.succeeded} answered, {result.failed} failed"


@activity.defn(name="pythonStore")
async def store(items: list[SinkItem]) -> None:
    """At least once for each item; a real one writes them under the batch's id and `index`."""
    for item in items:
        ended = item.response.status if item.response else item.error and item.error.type
        print(f"item {item.index}: {ended}", flush=True)

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"example.com/patient-http/patienthttp"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/workflow"
)

// Forecast gets an answer that takes minutes. The wait holds no slot of this worker.
func Forecast(ctx workflow.Context, url, patientQueue string) (string, error) {
	raise := true
	spec := patienthttp.RequestSpec{URL: url, Timeout: "10m", RaiseErrorResponses: &raise}
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		TaskQueue: patientQueue,
		// When this workflow is cancelled or ends, the request's socket is closed.
		ParentClosePolicy: enums.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
	})
	var response patienthttp.Response
	err := workflow.ExecuteChildWorkflow(child, "patientGet", spec).Get(ctx, &response)
	if err != nil {
		failure := patienthttp.AsRequestError(err)
		switch {
		case failure == nil:
			return "", err
		case failure.Type == "HttpStatusError" && failure.Response != nil:
			const text = "no forecast: status %d after try %d"
			return fmt.Sprintf(text, failure.Response.Status, failure.Attempt), nil
		case failure.Type == "TimeoutError":
			return "no forecast: it takes too long today", nil
		}
		return "", err
	}
	body, err := response.Bytes()
	if err != nil {
		return "", err
	}
	return "forecast: " + string(body), nil
}

// PlaceOrder hands over a POST and ends. Its outcome comes to the callback workflow.
func PlaceOrder(ctx workflow.Context, url, patientQueue string, order int) (string, error) {
	spec := patienthttp.RequestSpec{
		URL:  url,
		JSON: map[string]int{"order": order},
		// Sent once: a POST that may have arrived is not sent again, unless it has a key.
		Callback: &patienthttp.WorkflowCallback{
			Workflow:  "OrderPlaced",
			TaskQueue: workflow.GetInfo(ctx).TaskQueueName,
		},
		CallbackArgs: map[string]int{"order": order},
	}
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		TaskQueue:         patientQueue,
		ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON,
	})
	var execution workflow.Execution
	started := workflow.ExecuteChildWorkflow(child, "patientPost", spec).GetChildWorkflowExecution()
	if err := started.Get(ctx, &execution); err != nil {
		return "", err
	}
	return execution.ID, nil
}

// OrderPlaced is started by Patient HTTP, exactly once for each order.
func OrderPlaced(ctx workflow.Context, argument patienthttp.CallbackArgument) error {
	var args struct{ Order int }
	if err := json.Unmarshal(argument.CallbackArgs, &args); err != nil {
		return err
	}
	var text string
	if argument.Error != nil {
		text = fmt.Sprintf("order %d: %s, phase %s", args.Order, argument.Error.Type, argument.Error.Phase)
	} else {
		text = fmt.Sprintf("order %d: status %d", args.Order, argument.Response.Status)
	}
	options := workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second}
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "Tell", text).Get(ctx, nil)
}

// CheckAll sends many requests as one batch, whose outcomes an activity of ours gets as they come.
func CheckAll(ctx workflow.Context, urls []string, patientQueue string) (string, error) {
	batch := patienthttp.BatchSpec{
		Defaults: map[string]any{
			"timeout": "1m",
			"retry":   patienthttp.RetryOptions{MaximumAttempts: 1},
		},
		Sink: &patienthttp.Place{Activity: "Store", TaskQueue: workflow.GetInfo(ctx).TaskQueueName},
	}
	for _, url := range urls {
		batch.Requests = append(batch.Requests, patienthttp.RequestSpec{URL: url})
	}
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{TaskQueue: patientQueue})
	var result patienthttp.BatchResult
	if err := workflow.ExecuteChildWorkflow(child, "patientBatch", batch).Get(ctx, &result); err != nil {
		return "", err
	}
	return fmt.Sprintf("batch: %d answered, %d failed", result.Succeeded, result.Failed), nil
}

// Store gets each item at least once; a real one writes them under the batch's id and Index.
func Store(_ context.Context, items []patienthttp.SinkItem) error {
	for _, item := range items {
		if item.Response != nil {
			fmt.Printf("item %d: %d\n", item.Index, item.Response.Status)
		} else if item.Error != nil {
			fmt.Printf("item %d: %s\n", item.Index, item.Error.Type)
		}
	}
	return nil
}

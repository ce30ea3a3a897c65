// Runs the workflows of workflows.go once: go run . [BASE_URL]
//
// BASE_URL is the target that `npm start` prints, or any server with the same routes.
// TEMPORAL_ADDRESS and PATIENT_TASK_QUEUE say where Temporal and Patient HTTP are.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"

	"example.com/patient-http/patienthttp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

func main() {
	base := "http://127.0.0.1:8236"
	if len(os.Args) > 1 {
		base = os.Args[1]
	}
	if err := run(base); err != nil {
		log.Fatal(err)
	}
}

func run(base string) error {
	temporal, err := client.Dial(client.Options{
		HostPort: setting("TEMPORAL_ADDRESS", client.DefaultHostPort),
		Logger:   slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return err
	}
	defer temporal.Close()

	queue := fmt.Sprintf("go-example-%d", os.Getpid())
	told := make(chan string, 1)
	tell := func(_ context.Context, text string) error {
		told <- text
		return nil
	}
	w := worker.New(temporal, queue, worker.Options{})
	for _, each := range []any{Forecast, PlaceOrder, OrderPlaced, CheckAll} {
		w.RegisterWorkflow(each)
	}
	w.RegisterActivity(Store)
	w.RegisterActivityWithOptions(tell, activity.RegisterOptions{Name: "Tell"})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()

	execute := func(workflow any, args ...any) (result string, err error) {
		options := client.StartWorkflowOptions{TaskQueue: queue}
		started, err := temporal.ExecuteWorkflow(context.Background(), options, workflow, args...)
		if err != nil {
			return "", err
		}
		err = started.Get(context.Background(), &result)
		return result, err
	}
	patientQueue := setting("PATIENT_TASK_QUEUE", patienthttp.TaskQueue)
	urls := []string{base + "/time", base + "/error?status=503", "http://127.0.0.1:1/"}
	for _, step := range []func() (string, error){
		func() (string, error) { return execute(Forecast, base+"/slow?delay=1000", patientQueue) },
		func() (string, error) { return execute(Forecast, base+"/error?status=404", patientQueue) },
		func() (string, error) {
			id, err := execute(PlaceOrder, base+"/request", patientQueue, 17)
			return "order 17: handed over as " + id, err
		},
		func() (string, error) { return <-told, nil },
		func() (string, error) {
			_, err := execute(PlaceOrder, "ftp://nowhere", patientQueue, 18)
			return <-told, err
		},
		func() (string, error) { return execute(CheckAll, urls, patientQueue) },
	} {
		text, err := step()
		if err != nil {
			return err
		}
		fmt.Println(text)
	}
	return nil
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

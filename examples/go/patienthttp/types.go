// Package patienthttp has Patient HTTP's JSON as Go types: copy it into a module of yours.
//
// The published schemas (patient-http/schemas/*.json) say more: ranges, defaults, what goes together.
// What is left at its zero value is not sent. Fields of a later release are ignored.
package patienthttp

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	"go.temporal.io/sdk/temporal"
)

// TaskQueue is that of the ready-made workflows: patientRequest, patientGet, patientPost, …, patientBatch.
const TaskQueue = "patient-http"

// Duration is a text such as "30s"; the JSON takes milliseconds too.
type Duration string

// SecretRef is a secret by its name. Its value is read in the Patient HTTP worker and is in no history.
type SecretRef struct {
	Secret   string `json:"$secret"`
	Prefix   string `json:"prefix,omitempty"`
	Username string `json:"username,omitempty"`
}

// RequestSpec is one HTTP request; only URL has to be there. Fields of type any take what the schema
// says: Headers for example texts, lists of texts and SecretRefs.
type RequestSpec struct {
	URL                 string            `json:"url"`
	Method              string            `json:"method,omitempty"`
	Headers             map[string]any    `json:"headers,omitempty"`
	Params              map[string]any    `json:"params,omitempty"`
	Body                *string           `json:"body,omitempty"`
	JSON                any               `json:"json,omitempty"`
	Form                map[string]any    `json:"form,omitempty"`
	BodyBase64          *string           `json:"bodyBase64,omitempty"`
	Multipart           []MultipartPart   `json:"multipart,omitempty"`
	Timeout             Duration          `json:"timeout,omitempty"`
	ConnectTimeout      Duration          `json:"connectTimeout,omitempty"`
	FirstByteTimeout    Duration          `json:"firstByteTimeout,omitempty"`
	IdleTimeout         Duration          `json:"idleTimeout,omitempty"`
	MaxRedirects        *int              `json:"maxRedirects,omitempty"`
	AllowDowngrade      bool              `json:"allowDowngrade,omitempty"`
	MaxResponseSize     int               `json:"maxResponseSize,omitempty"`
	RaiseErrorResponses *bool             `json:"raiseErrorResponses,omitempty"`
	Retry               *RetryOptions     `json:"retry,omitempty"`
	Resend              string            `json:"resend,omitempty"`
	IdempotencyKey      any               `json:"idempotencyKey,omitempty"`
	Deadline            Duration          `json:"deadline,omitempty"`
	HeartbeatTimeout    Duration          `json:"heartbeatTimeout,omitempty"`
	Callback            *WorkflowCallback `json:"callback,omitempty"`
	CallbackArgs        any               `json:"callbackArgs,omitempty"`
	Result              string            `json:"result,omitempty"`
	Preprocessors       []string          `json:"preprocessors,omitempty"`
	Protocol            string            `json:"protocol,omitempty"`
	ProxyURL            any               `json:"proxyUrl,omitempty"`
	Flow                *FlowOptions      `json:"flow,omitempty"`
	Priority            *PriorityOptions  `json:"priority,omitempty"`
	RequestID           string            `json:"requestId,omitempty"`
}

// MultipartPart has one of Value, ValueBase64 and JSON.
type MultipartPart struct {
	Name        string  `json:"name"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 *string `json:"valueBase64,omitempty"`
	JSON        any     `json:"json,omitempty"`
	Filename    string  `json:"filename,omitempty"`
	ContentType string  `json:"contentType,omitempty"`
}

// RetryOptions say when a request is tried again.
type RetryOptions struct {
	MaximumAttempts    int      `json:"maximumAttempts,omitempty"`
	Statuses           []int    `json:"statuses,omitempty"`
	InitialInterval    Duration `json:"initialInterval,omitempty"`
	BackoffCoefficient float64  `json:"backoffCoefficient,omitempty"`
	MaximumInterval    Duration `json:"maximumInterval,omitempty"`
	MaxRetryAfter      Duration `json:"maxRetryAfter,omitempty"`
}

// FlowOptions are limits that requests with the same key share.
type FlowOptions struct {
	Key         string   `json:"key,omitempty"`
	Rate        float64  `json:"rate,omitempty"`
	Period      Duration `json:"period,omitempty"`
	Burst       float64  `json:"burst,omitempty"`
	Concurrency int      `json:"concurrency,omitempty"`
	Cost        any      `json:"cost,omitempty"`
}

// PriorityOptions order what waits in Temporal.
type PriorityOptions struct {
	PriorityKey    int     `json:"priorityKey,omitempty"`
	FairnessKey    string  `json:"fairnessKey,omitempty"`
	FairnessWeight float64 `json:"fairnessWeight,omitempty"`
}

// WorkflowCallback is started with a CallbackArgument when the request has ended.
type WorkflowCallback struct {
	Workflow  string         `json:"workflow"`
	TaskQueue string         `json:"taskQueue,omitempty"`
	Retry     map[string]any `json:"retry,omitempty"`
}

// Response is a response, whatever its status.
type Response struct {
	Status int `json:"status"`
	// Headers are texts, and lists of texts where one is repeated.
	Headers      map[string]any  `json:"headers"`
	Body         *string         `json:"body"`
	BodyEncoding string          `json:"bodyEncoding"`
	URL          string          `json:"url"`
	Method       string          `json:"method"`
	Redirects    []string        `json:"redirects"`
	RequestID    string          `json:"requestId"`
	DurationMs   int             `json:"durationMs"`
	Attempt      int             `json:"attempt"`
	CallbackArgs json.RawMessage `json:"callbackArgs"`
	// BodyTruncated is for an error's response alone, whose body is cut to 2 KB.
	BodyTruncated bool `json:"bodyTruncated,omitempty"`
}

// Bytes are those of the body; none for HEAD, 204 and 304.
func (r Response) Bytes() ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	if r.BodyEncoding == "base64" {
		return base64.StdEncoding.DecodeString(*r.Body)
	}
	return []byte(*r.Body), nil
}

// RequestError says why a request ended without a response. Take types that you do not know as
// UnknownError.
type RequestError struct {
	Type       string    `json:"type"`
	ErrorType  string    `json:"errorType"`
	Message    string    `json:"message"`
	URL        string    `json:"url"`
	Method     string    `json:"method"`
	RequestID  string    `json:"requestId"`
	DurationMs int       `json:"durationMs"`
	Phase      string    `json:"phase"`
	Attempt    int       `json:"attempt"`
	Response   *Response `json:"response,omitempty"`
}

// AsRequestError gives the error that a child workflow failed with; nil for any other failure.
func AsRequestError(failure error) *RequestError {
	var application *temporal.ApplicationError
	if !errors.As(failure, &application) || !application.HasDetails() {
		return nil
	}
	var detail RequestError
	if application.Details(&detail) != nil || detail.ErrorType == "" {
		return nil
	}
	detail.Type = application.Type()
	return &detail
}

// CallbackArgument is the one argument of a callback workflow.
type CallbackArgument struct {
	RequestID    string          `json:"requestId"`
	Outcome      string          `json:"outcome"`
	Response     *Response       `json:"response,omitempty"`
	Error        *RequestError   `json:"error,omitempty"`
	Batch        *BatchResult    `json:"batch,omitempty"`
	CallbackArgs json.RawMessage `json:"callbackArgs"`
	Request      struct {
		WorkflowID string `json:"workflowId"`
		RunID      string `json:"runId"`
	} `json:"request"`
}

// Place is an activity of yours, or a file below the workers' batchDirectory.
type Place struct {
	Activity  string `json:"activity,omitempty"`
	TaskQueue string `json:"taskQueue,omitempty"`
	File      string `json:"file,omitempty"`
	Args      []any  `json:"args,omitempty"`
}

// BatchSpec has either Requests or a Source.
type BatchSpec struct {
	Requests     []RequestSpec     `json:"requests,omitempty"`
	Source       *Place            `json:"source,omitempty"`
	Defaults     map[string]any    `json:"defaults,omitempty"`
	ChunkSize    int               `json:"chunkSize,omitempty"`
	Concurrency  int               `json:"concurrency,omitempty"`
	Keep         string            `json:"keep,omitempty"`
	Sink         *Place            `json:"sink,omitempty"`
	Callback     *WorkflowCallback `json:"callback,omitempty"`
	CallbackArgs any               `json:"callbackArgs,omitempty"`
}

// BatchOutcome has one of the two.
type BatchOutcome struct {
	Response *Response     `json:"response,omitempty"`
	Error    *RequestError `json:"error,omitempty"`
}

// BatchResult says how a batch ended.
type BatchResult struct {
	Outcomes  []BatchOutcome `json:"outcomes,omitempty"`
	Succeeded int            `json:"succeeded"`
	Failed    int            `json:"failed"`
	Sink      *Place         `json:"sink,omitempty"`
}

// SinkItem is what a sink gets of each request: its position in the batch, and how it ended.
type SinkItem struct {
	Index int `json:"index"`
	BatchOutcome
}

// SourcePage is what an activity that is a source returns.
type SourcePage struct {
	Requests []RequestSpec `json:"requests"`
	Cursor   any           `json:"cursor,omitempty"`
}

package patienthttp

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Each type has the fields of its published schema, no more and no less.
func TestFieldsAreThoseOfTheSchemas(t *testing.T) {
	for schema, value := range map[string]any{
		"request-spec":      RequestSpec{},
		"response":          Response{},
		"request-error":     RequestError{},
		"callback-argument": CallbackArgument{},
		"batch-spec":        BatchSpec{},
		"batch-result":      BatchResult{},
		"source-page":       SourcePage{},
	} {
		text, err := os.ReadFile("../../../schemas/" + schema + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var published struct{ Properties map[string]any }
		if err := json.Unmarshal(text, &published); err != nil {
			t.Fatal(err)
		}
		var expected, fields []string
		for name := range published.Properties {
			expected = append(expected, name)
		}
		of := reflect.TypeOf(value)
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name != "bodyTruncated" {
				fields = append(fields, name)
			}
		}
		slices.Sort(expected)
		slices.Sort(fields)
		if !slices.Equal(expected, fields) {
			t.Errorf("%s: expected %v, got %v", schema, expected, fields)
		}
	}
}

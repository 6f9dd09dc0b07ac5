package report

import (
	"encoding/json"
	"io"
)

// jsonLines prints one object a line.
type jsonLines struct{}

func (jsonLines) print(out io.Writer, r *Report) error { return JSON(out, r) }

// noteLine is what a side has to say between its reports.
type noteLine struct {
	Note    string  `json:"note"`
	Hint    *string `json:"hint"` // null: there is nothing to do
	Segment string  `json:"segment"`

	StreamEnd *string `json:"streamEnd,omitempty"`

	MissedCount   *uint64 `json:"missedCount,omitempty"`
	VerifiedCount *uint64 `json:"verifiedCount,omitempty"`
}

// JSON prints a report as one object and a line feed. Its keys are those of metrics.Table.
func JSON(out io.Writer, r *Report) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(&r.Sample)
}

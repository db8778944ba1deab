package s3

import (
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// overtakings remembers which uploads in progress were overtaken: their key was
// written or deleted after they began. A conditional completion of such an upload
// is refused even where its condition holds. It is kept in memory, so that writes
// pay nothing for it; after a restart the condition alone decides.
type overtakings struct {
	mu      sync.Mutex
	uploads map[string]map[string]bool // by the object's row and the upload's id
}

func (o *overtakings) begin(row, upload string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.uploads == nil {
		o.uploads = map[string]map[string]bool{}
	}
	if o.uploads[row] == nil {
		o.uploads[row] = map[string]bool{}
	}
	o.uploads[row][upload] = false
}

func (o *overtakings) end(row, upload string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.uploads[row], upload)
	if len(o.uploads[row]) == 0 {
		delete(o.uploads, row)
	}
}

// leave forgets the uploads of a bucket that is gone.
func (o *overtakings) leave(bucket string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.uploads, func(row string, _ map[string]bool) bool { return strings.HasPrefix(row, bucket+"\x00") })
}

// happen notes that the object was written or deleted.
func (o *overtakings) happen(row string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.uploads[row] {
		o.uploads[row][id] = true
	}
}

// judge refuses the completion of an upload under a condition when it was
// overtaken.
func (o *overtakings) judge(row, upload, key string, c writeCondition) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.uploads[row][upload] || c == (writeCondition{}) {
		return nil
	}
	condition := "If-None-Match"
	if c.ifMatch != nil {
		condition = "If-Match"
	}
	return awserr.Status(http.StatusConflict, "ConditionalRequestConflict",
		"The conditional request cannot succeed due to a conflicting operation against this resource.").
		With("Condition", condition).With("Key", key)
}

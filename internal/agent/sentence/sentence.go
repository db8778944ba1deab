// Package sentence makes errors whose text is AWS's own, with its capital letter
// and its full stop: people search for it, and tools compare it. Our own errors
// follow Go's custom instead.
package sentence

import "fmt"

// Errorf is fmt.Errorf for a sentence of AWS's.
func Errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

package stack

import "context"

// expressKey is the key in ctx of an operation in Express mode.
type expressKey struct{}

// expressReason is the reason of what completes in Express mode.
const expressReason = "Resource operation completed using Express Mode. It may continue becoming available in the background."

// Express tells a resource type that the operation which calls it is in Express
// mode: it returns as soon as the service has accepted the configuration and does
// not wait for what the resource becomes of it. Deletions are waited for in any
// case, because what is deleted after them needs them gone.
func Express(ctx context.Context) bool { return ctx.Value(expressKey{}) != nil }

// inMode is ctx for the calls of a stack's operation.
func (s *Stack) inMode(ctx context.Context) context.Context {
	if !s.Express {
		return ctx
	}
	return context.WithValue(ctx, expressKey{}, true)
}

// completion is the reason of a resource that is complete.
func (s *Stack) completion() string {
	if !s.Express {
		return ""
	}
	return expressReason
}

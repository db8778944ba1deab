package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
)

// lineHandler writes the agent's own log in the form of AWS's agent, which log
// collectors are set up for: time, level, program with process id, message.
// What our records say besides follows as key=value.
type lineHandler struct {
	slog.Handler // renders the attributes into out.line
	out          *lineOutput
}

type lineOutput struct {
	mu      sync.Mutex
	w       io.Writer
	line    bytes.Buffer
	program string
}

func newLineHandler(w io.Writer, program string, level slog.Level) slog.Handler {
	out := &lineOutput{w: w, program: fmt.Sprintf("%s(%d)", program, os.Getpid())}
	attributes := slog.NewTextHandler(&out.line, &slog.HandlerOptions{Level: level, ReplaceAttr: dropOwnFields})
	return &lineHandler{attributes, out}
}

// dropOwnFields leaves out what the line begins with.
func dropOwnFields(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}

// Handle writes one record as one line.
func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	b := &h.out.line
	b.Reset()
	message := strings.ReplaceAll(r.Message, "\n", " ")
	fmt.Fprintf(b, "%s %-5s [%s]: %s ", r.Time.Format("2006-01-02T15:04:05"), r.Level, h.out.program, message)
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.out.w.Write(append(bytes.TrimRight(b.Bytes(), " \n"), '\n'))
	return err
}

// WithAttrs keeps the form of the line.
func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lineHandler{h.Handler.WithAttrs(attrs), h.out}
}

// WithGroup keeps the form of the line.
func (h *lineHandler) WithGroup(name string) slog.Handler {
	return &lineHandler{h.Handler.WithGroup(name), h.out}
}

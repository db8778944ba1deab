package deploy

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

const consoleLines = 12

// consoleTail returns the last lines of an instance's console, none when it cannot
// be read: it is evidence, not a condition.
func (r *run) consoleTail(ctx context.Context, id string) []string {
	if !strings.HasPrefix(id, "i-") {
		return nil
	}
	var out ec2api.GetConsoleOutputOutput
	if err := r.ec2.Call(ctx, "GetConsoleOutput", &ec2api.GetConsoleOutputInput{InstanceId: &id}, &out); err != nil {
		return nil
	}
	text, err := base64.StdEncoding.DecodeString(aws.ToString(out.Output))
	if err != nil {
		return nil
	}
	return tail(string(text), consoleLines)
}

// tail returns the last n lines of text that are not empty.
func tail(text string, n int) []string {
	var lines []string
	for l := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if l = strings.TrimRight(l, " \r"); l != "" {
			lines = append(lines, l)
		}
	}
	return lines[max(0, len(lines)-n):]
}

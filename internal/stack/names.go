package stack

import (
	"crypto/sha256"
	"strings"
)

// nameDigits are what generated names end in.
const nameDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// nameRandom is how many of them there are.
const nameRandom = 12

// Name returns the physical name of a resource whose template gives none:
// <stack>-<LogicalId>-<12 characters>, at most limit long, the front shortened.
// The last part comes from the token, so that a creation repeated after a crash
// finds the name it chose before.
func (r Request) Name(limit int) string {
	front := r.StackName + "-" + r.LogicalID
	if room := limit - nameRandom - 1; len(front) > room {
		front = shorten(r.StackName, r.LogicalID, room)
	}
	return front + "-" + r.tail(nameDigits)
}

// tail is the part of a generated name that comes from the token.
func (r Request) tail(digits string) string {
	sum := sha256.Sum256([]byte("name\x00" + r.Token))
	tail := make([]byte, nameRandom)
	for i := range tail {
		tail[i] = digits[int(sum[i])%len(digits)]
	}
	return string(tail)
}

// MixedName returns CFN-<LogicalId>-<12 letters and digits>, the form of names that
// the provider of a type makes up rather than CloudFormation.
func (r Request) MixedName() string {
	return "CFN-" + r.LogicalID + "-" + r.tail(nameDigits+"abcdefghijklmnopqrstuvwxyz")
}

// LowerName is Name in lower case, for buckets.
func (r Request) LowerName(limit int) string { return strings.ToLower(r.Name(limit)) }

// shorten fits stack and logical id into room characters, half each, giving what
// one does not need to the other.
func shorten(stackName, logicalID string, room int) string {
	half := (room - 1) / 2
	if len(logicalID) < half {
		return stackName[:min(len(stackName), room-1-len(logicalID))] + "-" + logicalID
	}
	front := stackName[:min(len(stackName), half)]
	return front + "-" + logicalID[:min(len(logicalID), room-1-len(front))]
}

package ec2

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// longestToken bounds client tokens, in characters; AWS's limits are 64 and 128.
const longestToken = 128

// creationToken returns what a creation is stored under, so that its repetition finds
// the first: the caller's token with a hash of the request, or the stack engine's, which
// is never given to two requests. request is without the token.
func creationToken(c aws.Call, client *string, request any) (tok, hash string, err error) {
	switch t := aws.Val(client); {
	case t == "" && c.Token != "":
		return "internal:" + c.Token, "", nil
	case t == "":
		return "", "", nil
	case len(t) > longestToken:
		return "", "", awserr.New("InvalidParameterValue", "Invalid value '%s' for clientToken. It must not be longer than %d characters.", t, longestToken)
	}
	b, err := json.Marshal(request)
	if err != nil {
		return "", "", fmt.Errorf("hash the request: %w", err)
	}
	sum := sha256.Sum256(b)
	return clientToken + *client, hex.EncodeToString(sum[:]), nil
}

// madeWith returns the row that an earlier call with the token has made, or nil.
func madeWith[T any](tx *store.Tx, c aws.Call, table *store.Table[T], tok, hash string, hashOf func(*T) string) (*T, error) {
	if tok == "" {
		return nil, nil
	}
	rows, err := table.Lookup(tx, "token", scoped(key(c, ""), tok))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if hashOf(rows[0].Value) != hash {
		return nil, idempotentMismatch()
	}
	return rows[0].Value, nil
}

func idempotentMismatch() error {
	return awserr.New("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
}

package s3

import (
	"encoding/json"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// An ACL enters authorization as statements behind those of the bucket policy:
// the grants that name the caller, as what they allow. So an explicit deny binds
// them too, and callers of other accounts need their own permission beside.

// What each permission of an ACL allows (S3 User Guide, "Mapping of ACL
// permissions and access policy permissions").
var (
	bucketGrants = map[s3.Permission][]string{
		s3.PermissionRead: {"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"},
		// Setting an ACL with a write is part of writing; the object that is there
		// is judged by its own.
		s3.PermissionWrite:    {"s3:PutObject", "s3:PutObjectAcl"},
		s3.PermissionReadAcp:  {"s3:GetBucketAcl"},
		s3.PermissionWriteAcp: {"s3:PutBucketAcl"},
	}
	objectGrants = map[s3.Permission][]string{
		s3.PermissionRead:     {"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"},
		s3.PermissionReadAcp:  {"s3:GetObjectAcl", "s3:GetObjectVersionAcl"},
		s3.PermissionWriteAcp: {"s3:PutObjectAcl", "s3:PutObjectVersionAcl"},
	}
	fullOrder = []s3.Permission{s3.PermissionRead, s3.PermissionWrite, s3.PermissionReadAcp, s3.PermissionWriteAcp}
)

type statement struct {
	Effect    string
	Principal any
	Action    []string
	Resource  []string
}

// statements are the grants of an ACL that hold for the caller.
func (b *bucket) statements(who aws.Principal, grants []grant, allowed map[s3.Permission][]string, resources ...string) []statement {
	ignore := b.PublicAccess != nil && b.PublicAccess.IgnoreACLs
	var out []statement
	for _, g := range grants {
		principal := any("*")
		switch {
		case g.Group == allUsers && !ignore:
		case g.Group == authenticatedUsers && !ignore && who.Type != aws.PrincipalAnonymous:
		case g.ID != "" && who.Account != "" && g.ID == canonicalID(who.Account):
			principal = map[string]string{"AWS": who.Account}
		default:
			continue
		}
		actions := allowed[g.Permission]
		if g.Permission == s3.PermissionFullControl {
			for _, p := range fullOrder {
				actions = append(actions, allowed[p]...)
			}
		}
		if len(actions) > 0 {
			out = append(out, statement{"Allow", principal, actions, resources})
		}
	}
	return out
}

// bucketStatements are what the bucket's own ACL says. The owner's account needs
// none.
func (b *bucket) bucketStatements(who aws.Principal) []statement {
	if b.enforced() || b.ACL == nil {
		return nil
	}
	return b.statements(who, b.ACL.Grants, bucketGrants, bucketARN(b.Name), objectARN(b.Name, "*"))
}

// objectStatements are what the object's ACL says. The permissions of owner are
// its identities' own.
func (b *bucket) objectStatements(who aws.Principal, key string, o *object) []statement {
	if o == nil || b.enforced() || o.ACL == nil && who.Account == b.ownerOf(o) {
		return nil
	}
	return b.statements(who, o.ACL.grants(b.ownerOf(o)), objectGrants, objectARN(b.Name, key))
}

// withStatements returns the policy with more statements behind its own.
func withStatements(text string, more []statement) string {
	if len(more) == 0 {
		return text
	}
	own := statementsOf(text)
	for _, st := range more {
		doc, _ := json.Marshal(st) // of strings only
		own = append(own, doc)
	}
	return document(own)
}

// onlyDenials leaves of a bucket policy what binds objects that the bucket's
// owner does not own.
func onlyDenials(text string) string {
	if text == "" {
		return ""
	}
	var deny []json.RawMessage
	for _, st := range statementsOf(text) {
		var s struct{ Effect string }
		if json.Unmarshal(st, &s) == nil && s.Effect == "Deny" {
			deny = append(deny, st)
		}
	}
	if len(deny) == 0 {
		return ""
	}
	return document(deny)
}

func document(statements []json.RawMessage) string {
	doc, _ := json.Marshal(struct {
		Version   string
		Statement []json.RawMessage
	}{"2012-10-17", statements}) // of what was JSON
	return string(doc)
}

// statementsOf splits a policy that was validated when it was put.
func statementsOf(text string) []json.RawMessage {
	var doc struct{ Statement json.RawMessage }
	if text == "" || json.Unmarshal([]byte(text), &doc) != nil {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(doc.Statement, &list) != nil {
		list = []json.RawMessage{doc.Statement}
	}
	return list
}

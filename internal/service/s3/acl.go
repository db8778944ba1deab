package s3

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// The groups that ACLs know, and the account of EC2's images that aws-exec-read
// names.
const (
	allUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	logDelivery        = "http://acs.amazonaws.com/groups/s3/LogDelivery"
	ec2Images          = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"
)

// anonymousAccount owns what nobody has written.
const anonymousAccount = "anonymous"

// maxGrants is how many an ACL may hold.
const maxGrants = 100

// acl is who may do what with a bucket or an object; a nil one is its owner's
// full control.
type acl struct{ Grants []grant }

// grant is for a canonical id or for a group.
type grant struct {
	ID         string `json:",omitempty"`
	Group      string `json:",omitempty"`
	Permission s3.Permission
}

func (a *acl) grants(owner string) []grant {
	if a == nil {
		return []grant{{ID: canonicalID(owner), Permission: s3.PermissionFullControl}}
	}
	return a.Grants
}

// public reports whether the ACL grants something to everybody, or to everybody
// with an AWS account.
func (a *acl) public() bool {
	return a != nil && slices.ContainsFunc(a.Grants, func(g grant) bool { return g.Group == allUsers || g.Group == authenticatedUsers })
}

// onlyOwner reports whether the ACL grants the owner full control and nobody else
// anything.
func (a *acl) onlyOwner(owner string) bool {
	return a == nil || len(a.Grants) == 1 && a.Grants[0] == grant{ID: canonicalID(owner), Permission: s3.PermissionFullControl}
}

// owned are the accounts that a canned ACL may name.
type owned struct{ owner, bucketOwner string }

// canned returns the grants that a canned ACL stands for.
func (o owned) canned(name string) (*acl, error) {
	a := &acl{Grants: []grant{{ID: canonicalID(o.owner), Permission: s3.PermissionFullControl}}}
	add := func(g grant) { a.Grants = append(a.Grants, g) }
	switch name {
	case "private":
		return nil, nil
	case "public-read":
		add(grant{Group: allUsers, Permission: s3.PermissionRead})
	case "public-read-write":
		add(grant{Group: allUsers, Permission: s3.PermissionRead})
		add(grant{Group: allUsers, Permission: s3.PermissionWrite})
	case "authenticated-read":
		add(grant{Group: authenticatedUsers, Permission: s3.PermissionRead})
	case "aws-exec-read":
		add(grant{ID: ec2Images, Permission: s3.PermissionRead})
	case "log-delivery-write":
		add(grant{Group: logDelivery, Permission: s3.PermissionWrite})
		add(grant{Group: logDelivery, Permission: s3.PermissionReadAcp})
	case "bucket-owner-read", "bucket-owner-full-control":
		if o.owner == o.bucketOwner {
			return nil, nil
		}
		p := s3.PermissionRead
		if name == "bucket-owner-full-control" {
			p = s3.PermissionFullControl
		}
		add(grant{ID: canonicalID(o.bucketOwner), Permission: p})
	default:
		return nil, errInvalidArgument("Invalid value for x-amz-acl", "x-amz-acl", name)
	}
	return a, nil
}

// grantHeaders are the members of inputs that grant, with what they grant.
var grantHeaders = []struct {
	member, header string
	permission     s3.Permission
}{
	{"GrantFullControl", "x-amz-grant-full-control", s3.PermissionFullControl},
	{"GrantRead", "x-amz-grant-read", s3.PermissionRead},
	{"GrantWrite", "x-amz-grant-write", s3.PermissionWrite},
	{"GrantReadACP", "x-amz-grant-read-acp", s3.PermissionReadAcp},
	{"GrantWriteACP", "x-amz-grant-write-acp", s3.PermissionWriteAcp},
}

// requested reads the ACL that in, a pointer to an input, asks for by headers;
// given is false when it asks for none.
func (o owned) requested(in any, name string) (a *acl, given bool, err error) {
	var grants []grant
	for _, h := range grantHeaders {
		text := member(in, h.member)
		if text == nil {
			continue
		}
		if name != "" {
			return nil, true, errInvalidRequest("Specifying both Canned ACLs and Header Grants is not allowed")
		}
		for one := range strings.SplitSeq(*text, ",") {
			g, err := parseGrantee(strings.TrimSpace(one), h.header, *text)
			if err != nil {
				return nil, true, err
			}
			g.Permission = h.permission
			grants = append(grants, g)
		}
		given = true
	}
	if name != "" {
		a, err := o.canned(name)
		return a, true, err
	}
	if !given {
		return nil, false, nil
	}
	return &acl{Grants: grants}, true, tooMany(grants)
}

func tooMany(grants []grant) error {
	if len(grants) > maxGrants {
		return awserr.New("MalformedACLError", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	return nil
}

// parseGrantee reads id="...", uri="..." or emailAddress="...".
func parseGrantee(text, header, whole string) (grant, error) {
	kind, value, ok := strings.Cut(text, "=")
	value = strings.Trim(strings.TrimSpace(value), `"`)
	if !ok || value == "" {
		return grant{}, errInvalidArgument("Argument format not recognized", header, whole)
	}
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "id":
		return byID(value, "id")
	case "uri":
		return byGroup(value, "uri")
	case "emailaddress":
		return grant{}, errUnresolvableEmail(value)
	}
	return grant{}, errInvalidArgument("Argument format not recognized", header, whole)
}

// canonicalForm is that of an account's canonical id, and of the anonymous one.
var canonicalForm = regexp.MustCompile(`^([0-9a-f]{64}|[0-9a-f]{32})$`)

// byID is a grant to an account; name is what the request calls the id.
func byID(id, name string) (grant, error) {
	if !canonicalForm.MatchString(id) {
		return grant{}, errInvalidArgument("Invalid id", name, id)
	}
	return grant{ID: id}, nil
}

func byGroup(uri, name string) (grant, error) {
	switch uri {
	case allUsers, authenticatedUsers, logDelivery:
		return grant{Group: uri}, nil
	}
	return grant{}, errInvalidArgument("Invalid group uri", name, uri)
}

// errUnresolvableEmail: accounts have no address here.
func errUnresolvableEmail(address string) error {
	return awserr.New("UnresolvableGrantByEmailAddress", "The e-mail address you provided does not match any account on record.").
		With("Email", address)
}

// fromBody reads the ACL of a request's body. The owner it names must be the
// owner there is.
func (o owned) fromBody(p *s3.AccessControlPolicy) (*acl, error) {
	malformed := awserr.New("MalformedACLError", "The XML you provided was not well-formed or did not validate against our published schema")
	if p.Owner == nil || p.Owner.ID == nil {
		return nil, malformed
	}
	if *p.Owner.ID != canonicalID(o.owner) {
		if !canonicalForm.MatchString(*p.Owner.ID) {
			return nil, errInvalidArgument("Invalid id", "CanonicalUser/ID", *p.Owner.ID)
		}
		return nil, errAccessDenied
	}
	a := &acl{Grants: []grant{}}
	for _, one := range p.Grants {
		g, err := granteeOf(one.Grantee)
		if err != nil {
			return nil, err
		}
		switch one.Permission {
		case s3.PermissionFullControl, s3.PermissionRead, s3.PermissionReadAcp, s3.PermissionWrite, s3.PermissionWriteAcp:
		default:
			return nil, malformed
		}
		g.Permission = one.Permission
		a.Grants = append(a.Grants, g)
	}
	return a, tooMany(a.Grants)
}

func granteeOf(g *s3.Grantee) (grant, error) {
	switch {
	case g == nil:
	case g.Type == s3.TypeCanonicalUser && g.ID != nil:
		return byID(*g.ID, "CanonicalUser/ID")
	case g.Type == s3.TypeGroup && g.URI != nil:
		return byGroup(*g.URI, "Group/URI")
	case g.Type == s3.TypeAmazonCustomerByEmail && g.EmailAddress != nil:
		return grant{}, errUnresolvableEmail(*g.EmailAddress)
	}
	return grant{}, awserr.New("MalformedACLError", "The XML you provided was not well-formed or did not validate against our published schema")
}

// grantList is an ACL as answers show it.
func grantList(grants []grant) []s3.Grant {
	out := []s3.Grant{}
	for _, g := range grants {
		e := s3.Grant{Permission: g.Permission, Grantee: &s3.Grantee{Type: s3.TypeCanonicalUser, ID: ptrIf(g.ID)}}
		if g.Group != "" {
			e.Grantee = &s3.Grantee{Type: s3.TypeGroup, URI: aws.Ptr(g.Group)}
		}
		out = append(out, e)
	}
	return out
}

// enforced reports whether the bucket has ACLs disabled.
func (b *bucket) enforced() bool { return b.Ownership == s3.ObjectOwnershipBucketOwnerEnforced }

// ownerOf is the account that owns the object.
func (b *bucket) ownerOf(o *object) string {
	if o == nil || o.Owner == "" || b.enforced() {
		return b.Account
	}
	return o.Owner
}

// admit refuses an ACL that the bucket's public access block does not let in.
func (b *bucket) admit(a *acl) error {
	if a.public() && b.PublicAccess != nil && b.PublicAccess.BlockACLs {
		return awserr.Status(http.StatusForbidden, "AccessDenied", "Access Denied because public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access.")
	}
	return nil
}

// settle decides who owns an object that is written and which ACL it has.
func (b *bucket) settle(call aws.Call, in any, name string) (owner string, a *acl, err error) {
	writer := call.Account
	if call.Principal.Type == aws.PrincipalAnonymous {
		writer = anonymousAccount
	}
	o := owned{owner: writer, bucketOwner: b.Account}
	a, given, err := o.requested(in, name)
	if err != nil {
		return "", nil, err
	}
	full := name == string(s3.ObjectCannedACLBucketOwnerFullControl)
	switch {
	case b.enforced():
		same := a.onlyOwner(b.Account) && (a != nil || writer == b.Account)
		if given && !full && !same {
			return "", nil, errACLNotSupported
		}
		return "", nil, nil
	case b.Ownership == s3.ObjectOwnershipBucketOwnerPreferred && full && writer != b.Account:
		return "", nil, b.admit(a)
	case writer != b.Account:
		owner = writer
	}
	return owner, a, b.admit(a)
}

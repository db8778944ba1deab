package s3_test

import (
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// input fills in what every operation of the row needs.
func input(op wire.Operation) any {
	in := op.New()
	v := reflect.ValueOf(in).Elem()
	for name, value := range map[string]any{
		"Bucket": aws.Ptr("row-bucket"), "Key": aws.Ptr("k"), "UploadId": aws.Ptr("u"), "PartNumber": aws.Ptr(int32(1)),
		"CopySource": aws.Ptr("row-bucket/k"), "Policy": aws.Ptr("{}"),
		"Tagging": &api.Tagging{TagSet: []api.Tag{}}, "Delete": &api.Delete{Objects: []api.ObjectIdentifier{{Key: aws.Ptr("k")}}},
		"OwnershipControls":                 &api.OwnershipControls{Rules: []api.OwnershipControlsRule{{ObjectOwnership: api.ObjectOwnershipObjectWriter}}},
		"PublicAccessBlockConfiguration":    &api.PublicAccessBlockConfiguration{},
		"ServerSideEncryptionConfiguration": &api.ServerSideEncryptionConfiguration{Rules: []api.ServerSideEncryptionRule{{}}},
		"ObjectLockConfiguration":           &api.ObjectLockConfiguration{ObjectLockEnabled: api.ObjectLockEnabledEnabled},
		"Retention":                         &api.ObjectLockRetention{},
		"LegalHold":                         &api.ObjectLockLegalHold{Status: api.ObjectLockLegalHoldStatusOn},
		"LifecycleConfiguration": &api.BucketLifecycleConfiguration{Rules: []api.LifecycleRule{{
			Status: api.ExpirationStatusEnabled, Prefix: aws.Ptr(""), Expiration: &api.LifecycleExpiration{Days: aws.Ptr(int32(1))},
		}}},
		"ACL":                     api.BucketCannedACLPrivate,
		"VersioningConfiguration": &api.VersioningConfiguration{Status: api.BucketVersioningStatusEnabled},
		"ObjectAttributes":        []api.ObjectAttributes{api.ObjectAttributesETag},
		"CORSConfiguration":       &api.CORSConfiguration{CORSRules: []api.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"*"}}}},
		"WebsiteConfiguration":    &api.WebsiteConfiguration{}, "RequestPaymentConfiguration": &api.RequestPaymentConfiguration{Payer: api.PayerBucketOwner},
		"BucketLoggingStatus": &api.BucketLoggingStatus{}, "Id": aws.Ptr("id"),
		"NotificationConfiguration": &api.NotificationConfiguration{},
	} {
		if f := v.FieldByName(name); f.IsValid() && f.Type() == reflect.TypeOf(value) {
			f.Set(reflect.ValueOf(value))
		}
	}
	return in
}

// TestEveryOperationIsDenied calls each operation as a user without permissions
// and as nobody, and looks at which action was asked for.
func TestEveryOperationIsDenied(t *testing.T) {
	s := newSystem(t)
	must[api.CreateBucketOutput](t, s, "CreateBucket", &api.CreateBucketInput{Bucket: aws.Ptr("row-bucket")})
	must[api.PutObjectOutput](t, s, "PutObject", &api.PutObjectInput{Bucket: aws.Ptr("row-bucket"), Key: aws.Ptr("k"), Body: strings.NewReader("x")})
	before := s.blobs.Len()
	for _, op := range s.service.Wire().Operations {
		for _, key := range []string{"AKIANONE", ""} {
			s.iam.asked = nil
			out, err := s.server.Invoke(as(t, key), "s3", op.Name, input(op))
			if op.Name == "DeleteObjects" { // denies key by key
				if o, ok := out.(*api.DeleteObjectsOutput); !ok || len(o.Errors) != 1 || *o.Errors[0].Code != "AccessDenied" {
					t.Errorf("DeleteObjects: %+v, %v", out, err)
				}
				continue
			}
			if !awserr.Is(err, "AccessDenied") || awserr.As(err).Status != 403 {
				t.Errorf("%s as %q: %v, want AccessDenied", op.Name, key, err)
			}
			if len(s.iam.asked) != 1 || s.iam.asked[0].Action != op.Action {
				t.Errorf("%s asked for %+v, want %s", op.Name, s.iam.asked, op.Action)
			}
		}
	}
	if s.blobs.Len() != before {
		t.Error("a refused operation left bytes behind")
	}
}

// TestAllowedActions gives a user exactly one action at a time and sees that the
// operations under that action, and no other, are let through.
func TestAllowedActions(t *testing.T) {
	s := newSystem(t)
	must[api.CreateBucketOutput](t, s, "CreateBucket", &api.CreateBucketInput{Bucket: aws.Ptr("row-bucket")})
	user := people["AKIAUSER"].ARN
	for _, allowed := range []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteBucket"} {
		s.iam.policies[user] = mustPolicy(`{"Statement":[{"Effect":"Allow","Action":"` + allowed + `","Resource":["arn:aws:s3:::row-bucket","arn:aws:s3:::row-bucket/*"]}]}`)
		for _, op := range s.service.Wire().Operations {
			if op.Action == "" {
				continue
			}
			checks, err := op.Checks(as(t, "AKIAUSER"), input(op))
			if err != nil {
				t.Fatalf("%s: %v", op.Name, err)
			}
			let := true
			for _, c := range checks {
				let = let && s.iam.Authorize(as(t, "AKIAUSER"), c) == nil
			}
			// One that asks for several actions is not let through by one.
			if want := op.Action == allowed && onlyAsksFor(checks, allowed); let != want {
				t.Errorf("with %s alone %s is let through: %v, checks %+v", allowed, op.Name, let, checks)
			}
		}
	}
}

// onlyAsksFor reports whether the checks need no other action.
func onlyAsksFor(checks []aws.Check, action string) bool {
	return !slices.ContainsFunc(checks, func(c aws.Check) bool { return c.Action != action })
}

// TestCopyNeedsBoth holds that a copy needs to read its source and to write its
// target.
func TestCopyNeedsBoth(t *testing.T) {
	s := newSystem(t)
	for _, b := range []string{"from-bucket", "to-bucket"} {
		must[api.CreateBucketOutput](t, s, "CreateBucket", &api.CreateBucketInput{Bucket: aws.Ptr(b)})
	}
	must[api.PutObjectOutput](t, s, "PutObject", &api.PutObjectInput{Bucket: aws.Ptr("from-bucket"), Key: aws.Ptr("k"), Body: strings.NewReader("x")})
	copyIt := func(resources ...string) error {
		var statements []string
		for _, r := range resources {
			action, resource, _ := strings.Cut(r, " ")
			statements = append(statements, `{"Effect":"Allow","Action":"`+action+`","Resource":"arn:aws:s3:::`+resource+`"}`)
		}
		s.iam.policies[people["AKIAUSER"].ARN] = mustPolicy(`{"Statement":[` + strings.Join(statements, ",") + `]}`)
		_, err := call[api.CopyObjectOutput](t, s, "AKIAUSER", "CopyObject", &api.CopyObjectInput{
			Bucket: aws.Ptr("to-bucket"), Key: aws.Ptr("copy"), CopySource: aws.Ptr("from-bucket/k"),
		})
		return err
	}
	for _, c := range []struct {
		name      string
		resources []string
		ok        bool
	}{
		{"write only", []string{"s3:PutObject to-bucket/*"}, false},
		{"read only", []string{"s3:GetObject from-bucket/*"}, false},
		{"both", []string{"s3:PutObject to-bucket/*", "s3:GetObject from-bucket/*"}, true},
	} {
		if err := copyIt(c.resources...); (err == nil) != c.ok || err != nil && !awserr.Is(err, "AccessDenied") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestConditionKeys looks at what the checks tell the evaluation.
func TestConditionKeys(t *testing.T) {
	s := newSystem(t)
	must[api.CreateBucketOutput](t, s, "CreateBucket", &api.CreateBucketInput{Bucket: aws.Ptr("row-bucket")})
	must[api.PutObjectOutput](t, s, "PutObject", &api.PutObjectInput{
		Bucket: aws.Ptr("row-bucket"), Key: aws.Ptr("k"), Body: strings.NewReader("x"), Tagging: aws.Ptr("team=red"),
	})
	s.iam.policies[people["AKIAUSER"].ARN] = mustPolicy(`{"Statement":[
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/team":"red"}}},
		{"Effect":"Allow","Action":["s3:PutObject","s3:PutObjectTagging"],"Resource":"*","Condition":{"StringEquals":{"s3:RequestObjectTag/team":"red"}}},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"StringLike":{"s3:prefix":"home/*"},"StringEquals":{"s3:delimiter":"/"}}}]}`)
	get := func() error {
		out, err := call[api.GetObjectOutput](t, s, "AKIAUSER", "GetObject", &api.GetObjectInput{Bucket: aws.Ptr("row-bucket"), Key: aws.Ptr("k")})
		if err == nil {
			_, _ = io.Copy(io.Discard, out.Body)
			err = out.Body.Close()
		}
		return err
	}
	put := func(tagging string) error {
		_, err := call[api.PutObjectOutput](t, s, "AKIAUSER", "PutObject", &api.PutObjectInput{
			Bucket: aws.Ptr("row-bucket"), Key: aws.Ptr("k"), Body: strings.NewReader("x"), Tagging: &tagging,
		})
		return err
	}
	list := func(prefix, delimiter string) error {
		_, err := call[api.ListObjectsV2Output](t, s, "AKIAUSER", "ListObjectsV2", &api.ListObjectsV2Input{
			Bucket: aws.Ptr("row-bucket"), Prefix: &prefix, Delimiter: &delimiter,
		})
		return err
	}
	for _, c := range []struct {
		name string
		err  error
		ok   bool
	}{
		{"get of a red object", get(), true}, {"put of a blue one", put("team=blue"), false}, {"put of a red one", put("team=red&x=y"), true},
		{"list in home", list("home/me", "/"), true}, {"list in home without delimiter", list("home/me", ""), false}, {"list all", list("", "/"), false},
	} {
		if (c.err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
}

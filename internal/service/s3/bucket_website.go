package s3

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// maxRoutingRules is how many rules a website may have.
const maxRoutingRules = 50

func errNoSuchWebsite(bucketName string) *awserr.Error {
	return awserr.Status(http.StatusNotFound, "NoSuchWebsiteConfiguration",
		"The specified bucket does not have a website configuration").With("BucketName", bucketName)
}

// GetBucketWebsite returns the configuration as it was put.
func (s *Service) GetBucketWebsite(ctx context.Context, in *s3.GetBucketWebsiteInput) (*s3.GetBucketWebsiteOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	w := b.Website
	if w == nil {
		return nil, errNoSuchWebsite(b.Name)
	}
	return &s3.GetBucketWebsiteOutput{
		RedirectAllRequestsTo: w.RedirectAllRequestsTo, IndexDocument: w.IndexDocument, ErrorDocument: w.ErrorDocument, RoutingRules: w.RoutingRules,
	}, nil
}

// PutBucketWebsite makes the bucket a website; website.go serves it.
func (s *Service) PutBucketWebsite(ctx context.Context, in *s3.PutBucketWebsiteInput) (*s3.PutBucketWebsiteOutput, error) {
	if in.WebsiteConfiguration == nil {
		return nil, errMalformedXML
	}
	if err := validWebsite(in.WebsiteConfiguration); err != nil {
		return nil, err
	}
	if err := s.change(ctx, in.Bucket, func(b *bucket) error { b.Website = in.WebsiteConfiguration; return nil }); err != nil {
		return nil, err
	}
	return &s3.PutBucketWebsiteOutput{}, nil
}

// DeleteBucketWebsite ends the website.
func (s *Service) DeleteBucketWebsite(ctx context.Context, in *s3.DeleteBucketWebsiteInput) (*s3.DeleteBucketWebsiteOutput, error) {
	if err := s.change(ctx, in.Bucket, func(b *bucket) error { b.Website = nil; return nil }); err != nil {
		return nil, err
	}
	return &s3.DeleteBucketWebsiteOutput{}, nil
}

func validWebsite(w *s3.WebsiteConfiguration) error {
	if all := w.RedirectAllRequestsTo; all != nil {
		if w.IndexDocument != nil || w.ErrorDocument != nil || len(w.RoutingRules) > 0 {
			return errInvalidArgument("RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.", "RedirectAllRequestsTo", "not null")
		}
		if aws.Val(all.HostName) == "" {
			return errMalformedXML
		}
		return validProtocol(all.Protocol)
	}
	if w.IndexDocument == nil {
		return errInvalidArgument("A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty", "IndexDocument", "null")
	}
	if suffix := aws.Val(w.IndexDocument.Suffix); suffix == "" || strings.Contains(suffix, "/") {
		return errInvalidArgument("The IndexDocument Suffix is not well formed", "IndexDocument", suffix)
	}
	if w.ErrorDocument != nil && aws.Val(w.ErrorDocument.Key) == "" {
		return errInvalidArgument("The ErrorDocument Key is not well formed", "ErrorDocument", "")
	}
	if len(w.RoutingRules) > maxRoutingRules {
		return errInvalidRequest("%d routing rules provided, the number of routing rules in a website configuration is limited to %d.", len(w.RoutingRules), maxRoutingRules)
	}
	for _, r := range w.RoutingRules {
		if err := validRoutingRule(r); err != nil {
			return err
		}
	}
	return nil
}

func validProtocol(p s3.Protocol) error {
	if p != "" && p != s3.ProtocolHttp && p != s3.ProtocolHttps {
		return errInvalidRequest("Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.")
	}
	return nil
}

func validRoutingRule(r s3.RoutingRule) error {
	if r.Redirect == nil {
		return errMalformedXML
	}
	if c := r.Condition; c != nil {
		if c.KeyPrefixEquals == nil && c.HttpErrorCodeReturnedEquals == nil {
			return errInvalidRequest("Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.")
		}
		if code := c.HttpErrorCodeReturnedEquals; code != nil {
			if n, err := strconv.Atoi(*code); err != nil || n < 400 || n > 599 {
				return errInvalidRequest("The provided HTTP error code (%s) is not valid. Valid codes are 4XX or 5XX.", *code)
			}
		}
	}
	to := r.Redirect
	if to.ReplaceKeyWith != nil && to.ReplaceKeyPrefixWith != nil {
		return errInvalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
	}
	if code := to.HttpRedirectCode; code != nil {
		if n, err := strconv.Atoi(*code); err != nil || n <= 300 || n > 399 {
			return errInvalidRequest("The provided HTTP redirect code (%s) is not valid. Valid codes are 3XX except 300.", *code)
		}
	}
	return validProtocol(to.Protocol)
}

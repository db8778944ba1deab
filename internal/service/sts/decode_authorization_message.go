package sts

import (
	"context"

	api "github.com/hardstand/hardstand/internal/aws/api/sts"
)

// DecodeAuthorizationMessage opens the sealed part of a refusal: what was asked, by
// whom, and which statement decided.
func (s *Service) DecodeAuthorizationMessage(ctx context.Context, in *api.DecodeAuthorizationMessageInput) (*api.DecodeAuthorizationMessageOutput, error) {
	text, err := s.sessions.DecodeDenial(ctx, *in.EncodedMessage)
	if err != nil {
		return nil, err
	}
	return &api.DecodeAuthorizationMessageOutput{DecodedMessage: &text}, nil
}

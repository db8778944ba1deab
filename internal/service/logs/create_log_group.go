package logs

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// CreateLogGroup makes a log group.
func (s *Service) CreateLogGroup(ctx context.Context, in *api.CreateLogGroupInput) (*api.CreateLogGroupOutput, error) {
	c := aws.CallFrom(ctx)
	if err := judgeGroup(in); err != nil {
		return nil, err
	}
	g := group{Name: *in.LogGroupName, UID: ids.UUID(), Created: s.nowMillis(), Class: in.LogGroupClass, Tags: in.Tags, Token: c.Token}
	if g.Class == "" {
		g.Class = api.LogGroupClassStandard
	}
	k := key(c, g.Name)
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if old, err := groups.Get(tx, k); err == nil {
			if c.Token != "" && old.Token == c.Token {
				return nil
			}
			return errGroupExists
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		emit(tx, k, g.Name, "created", "CreateLogGroup")
		return groups.Insert(tx, k, &g)
	})
	return &api.CreateLogGroupOutput{}, err
}

func judgeGroup(in *api.CreateLogGroupInput) error {
	switch {
	case in.KmsKeyId != nil:
		return notHonoured("kmsKeyId")
	case aws.Val(in.DeletionProtectionEnabled):
		return notHonoured("deletionProtectionEnabled")
	case in.LogGroupClass == api.LogGroupClassDelivery:
		return notHonoured("the log group class DELIVERY")
	case strings.HasPrefix(*in.LogGroupName, "aws/"):
		return invalid("Log groups starting with AWS/ are reserved for AWS.")
	}
	return judgeTags(in.Tags)
}

// CreateLogStream makes a stream in a group.
func (s *Service) CreateLogStream(ctx context.Context, in *api.CreateLogStreamInput) (*api.CreateLogStreamOutput, error) {
	c := aws.CallFrom(ctx)
	uid, err := newUID()
	if err != nil {
		return nil, err
	}
	st := stream{Name: *in.LogStreamName, UID: uid, Created: s.nowMillis(), Token: c.Token}
	k := key(c, streamID(*in.LogGroupName, st.Name))
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if _, err := groups.Get(tx, key(c, *in.LogGroupName)); err != nil {
			return or(err, errNoGroup)
		}
		if old, err := streams.Get(tx, k); err == nil {
			if c.Token != "" && old.Token == c.Token {
				return nil
			}
			return errStreamExists
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		emit(tx, k, *in.LogGroupName, "stream", "CreateLogStream")
		return streams.Insert(tx, k, &st)
	})
	return &api.CreateLogStreamOutput{}, err
}

// newUID returns random digits, the form that event ids need.
func newUID() (string, error) {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(uidDigits), nil)
	n, err := rand.Int(rand.Reader, limit)
	if err != nil {
		return "", err
	}
	s := n.String()
	return strings.Repeat("0", uidDigits-len(s)) + s, nil
}

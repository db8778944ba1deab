package elbv2

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// Types of actions.
const (
	actForward  = api.ActionTypeEnum("forward")
	actRedirect = api.ActionTypeEnum("redirect")
	actFixed    = api.ActionTypeEnum("fixed-response")
	actOIDC     = api.ActionTypeEnum("authenticate-oidc")
	actCognito  = api.ActionTypeEnum("authenticate-cognito")
	actJWT      = api.ActionTypeEnum("jwt-validation")
)

const (
	maxForwards     = 5
	maxWeight       = 999
	maxStickiness   = 604800
	maxFixedBody    = 1024
	maxGroupsPerALB = 100
)

// place is where actions stand.
type place struct {
	balancer store.Key
	b        *balancer
	protocol api.ProtocolEnum
	port     int32
}

// settle judges the actions of a listener or a rule, and completes them with what AWS
// shows: both forms of a forward, and the parts of a redirect that were left out.
func (p place) settle(tx *store.Tx, asked []api.Action) ([]api.Action, error) {
	if len(asked) == 0 {
		return nil, invalid("At least one action must be specified")
	}
	actions := slices.Clone(asked)
	for i := range actions {
		if err := p.judgeAction(&actions[i]); err != nil {
			return nil, err
		}
	}
	// Only actions that ask who the client is may stand before another one.
	if len(actions) > 1 {
		return nil, awserr.New("TooManyActions", "You can only specify one action of type 'forward', 'redirect' or 'fixed-response'")
	}
	return actions, p.judgeGroups(tx, actions)
}

func (p place) judgeAction(a *api.Action) error {
	switch a.Type {
	case actOIDC, actCognito, actJWT:
		return notBuilt("actions of the type %s", a.Type)
	}
	if p.b.Type == network && a.Type != actForward {
		return badAction("Actions of type '%s' are not supported for load balancers with type 'network'", a.Type)
	}
	if a.Order != nil && (*a.Order < 1 || *a.Order > 50000) {
		return invalid("The action order '%d' must be between '1-50000' inclusive", *a.Order)
	}
	for _, given := range []struct {
		there bool
		of    api.ActionTypeEnum
		word  string
	}{
		{a.TargetGroupArn != nil, actForward, "A target group ARN"}, {a.ForwardConfig != nil, actForward, "A forward config"},
		{a.RedirectConfig != nil, actRedirect, "A redirect config"}, {a.FixedResponseConfig != nil, actFixed, "A fixed-response config"},
		{a.AuthenticateOidcConfig != nil, actOIDC, "An authenticate-oidc config"}, {a.AuthenticateCognitoConfig != nil, actCognito, "An authenticate-cognito config"},
		{a.JwtValidationConfig != nil, actJWT, "A jwt-validation config"},
	} {
		if given.there && a.Type != given.of {
			return badAction("%s cannot be specified for actions of type '%s'", given.word, a.Type)
		}
	}
	switch a.Type {
	case actForward:
		return p.judgeForward(a)
	case actRedirect:
		return p.judgeRedirect(a)
	}
	return judgeFixedResponse(a)
}

func (p place) judgeForward(a *api.Action) error {
	f := a.ForwardConfig
	switch {
	case a.TargetGroupArn == nil && (f == nil || len(f.TargetGroups) == 0):
		return badAction("A target group ARN must be specified for actions of type 'forward'")
	case f == nil || len(f.TargetGroups) == 0:
		out := &api.ForwardActionConfig{TargetGroups: []api.TargetGroupTuple{{TargetGroupArn: a.TargetGroupArn}}}
		if f != nil {
			out.TargetGroupStickinessConfig = f.TargetGroupStickinessConfig
		}
		f = out
	default:
		f = &api.ForwardActionConfig{TargetGroups: slices.Clone(f.TargetGroups), TargetGroupStickinessConfig: f.TargetGroupStickinessConfig}
	}
	if a.TargetGroupArn != nil && (len(f.TargetGroups) != 1 || aws.Val(f.TargetGroups[0].TargetGroupArn) != *a.TargetGroupArn) {
		return badAction("You cannot specify both a target group ARN and a forward config with other target groups")
	}
	if len(f.TargetGroups) > maxForwards {
		return badAction("A forward action can have at most '%d' target groups", maxForwards)
	}
	for i := range f.TargetGroups {
		t := &f.TargetGroups[i]
		if _, err := openGroup(aws.Val(t.TargetGroupArn)); err != nil {
			return err
		}
		if t.Weight == nil {
			t.Weight = aws.Ptr[int32](1)
		}
		if *t.Weight < 0 || *t.Weight > maxWeight {
			return invalid("The target group weight '%d' must be between '0-%d' inclusive", *t.Weight, maxWeight)
		}
	}
	if len(f.TargetGroups) == 1 {
		a.TargetGroupArn = f.TargetGroups[0].TargetGroupArn
	}
	a.ForwardConfig = f
	return p.judgeGroupStickiness(f)
}

func (p place) judgeGroupStickiness(f *api.ForwardActionConfig) error {
	st := &api.TargetGroupStickinessConfig{Enabled: aws.Ptr(false)}
	if given := f.TargetGroupStickinessConfig; given != nil {
		*st = *given
		if st.Enabled == nil {
			st.Enabled = aws.Ptr(false)
		}
	}
	f.TargetGroupStickinessConfig = st
	switch {
	case *st.Enabled && p.b.Type == network:
		return badAction("Target group stickiness is not supported for load balancers with type 'network'")
	case *st.Enabled && st.DurationSeconds == nil:
		return badAction("Target group stickiness duration must be specified when target group stickiness is enabled")
	case st.DurationSeconds != nil && (*st.DurationSeconds < 1 || *st.DurationSeconds > maxStickiness):
		return badAction("Target group stickiness duration must be between 1 and %d seconds", maxStickiness)
	}
	return nil
}

var keyword = regexp.MustCompile(`#\{(protocol|host|port|path|query)\}`)

func (p place) judgeRedirect(a *api.Action) error {
	if a.RedirectConfig == nil {
		return badAction("A redirect config must be specified for actions of type 'redirect'")
	}
	r := *a.RedirectConfig
	a.RedirectConfig = &r
	for _, part := range []struct {
		to       **string
		standard string
	}{{&r.Protocol, "#{protocol}"}, {&r.Port, "#{port}"}, {&r.Host, "#{host}"}, {&r.Path, "/#{path}"}, {&r.Query, "#{query}"}} {
		if *part.to == nil {
			*part.to = aws.Ptr(part.standard)
		}
	}
	port, err := strconv.Atoi(*r.Port)
	switch {
	case r.StatusCode == "":
		return badAction("A status code must be specified for actions of type 'redirect'")
	case *r.Port != "#{port}" && (err != nil || port < 1 || port > 65535):
		return badAction("The redirect port '%s' must be '#{port}' or a value between 1 and 65535", *r.Port)
	case !strings.HasPrefix(*r.Path, "/"):
		return badAction("The redirect path '%s' must start with a '/' character", *r.Path)
	case *r.Host == "":
		return badAction("The redirect host cannot be empty")
	case p.protocol == https && *r.Protocol == "HTTP":
		return badAction("You cannot redirect HTTPS to HTTP")
	case p.loops(r):
		return badAction("The redirect configuration is not valid because it creates a loop.")
	}
	if _, err := url.ParseQuery(keyword.ReplaceAllString(*r.Query, "x")); err != nil {
		return badAction("The redirect query '%s' is not valid", *r.Query)
	}
	return nil
}

// loops: nothing of the request would change.
func (p place) loops(r api.RedirectActionConfig) bool {
	same := func(value, word, now string) bool { return value == word || value == now }
	return same(*r.Protocol, "#{protocol}", string(p.protocol)) && same(*r.Port, "#{port}", strconv.Itoa(int(p.port))) &&
		*r.Host == "#{host}" && *r.Path == "/#{path}" && *r.Query == "#{query}"
}

// contentTypes are those of fixed responses, in the order in which AWS lists them.
var contentTypes = []string{"text/html", "application/json", "application/javascript", "text/css", "text/plain"}

func judgeFixedResponse(a *api.Action) error {
	f := a.FixedResponseConfig
	switch {
	case f == nil:
		return badAction("A fixed-response config must be specified for actions of type 'fixed-response'")
	case f.ContentType != nil && !slices.Contains(contentTypes, *f.ContentType):
		return badAction("The ContentType must be one of:%s", quoted(contentTypes))
	case len(aws.Val(f.MessageBody)) > maxFixedBody:
		return invalid("The message body cannot be longer than '%d' characters", maxFixedBody)
	}
	return nil
}

// judgeGroups holds the groups that actions forward to against the balancer.
func (p place) judgeGroups(tx *store.Tx, actions []api.Action) error {
	for _, name := range forwardedTo(actions) {
		k, err := openGroup(name)
		if err != nil {
			return err
		}
		g, err := groups.Get(tx, k)
		if err != nil || k.Account != p.balancer.Account || k.Region != p.balancer.Region {
			return orNotFound(store.ErrNotFound, kindGroup, name)
		}
		if err := p.judgeGroup(tx, k, g); err != nil {
			return err
		}
	}
	used, err := groupsUsed(tx, p.balancer)
	if err == nil && len(used) > maxGroupsPerALB {
		return awserr.New("TooManyUniqueTargetGroupsPerLoadBalancer", "The maximum number of unique target groups per load balancer has been reached")
	}
	return err
}

func (p place) judgeGroup(tx *store.Tx, k store.Key, g *group) error {
	name := groupARN(k)
	if g.VPC != p.b.VPC {
		return badRequest("The following target groups are not in the same VPC as the load balancer: '%s'", name)
	}
	if !slices.Contains(targetProtocols[p.protocol], g.Protocol) {
		return awserr.New("IncompatibleProtocols", "The listener and its associated target group '%s' have incompatible protocols: '%s' and '%s'", name, p.protocol, g.Protocol)
	}
	if p.protocol == http && (g.Version == "HTTP2" || g.Version == grpc) {
		return badRequest("Listener protocol 'HTTP' is not supported with a target group with the protocol-version '%s'", g.Version)
	}
	users, err := usersOf(tx, k)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(id string) bool { return id != p.balancer.ID }) {
		return awserr.New("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", name)
	}
	return nil
}

// targetProtocols are the protocols of groups that listeners of a protocol forward to.
var targetProtocols = map[api.ProtocolEnum][]api.ProtocolEnum{
	http: {http, https}, https: {http, https}, tcp: {tcp, tcpUDP}, tlsProtocol: {tcp, tlsProtocol}, udp: {udp, tcpUDP}, tcpUDP: {tcpUDP},
}

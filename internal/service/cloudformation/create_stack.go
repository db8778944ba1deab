package cloudformation

import (
	"context"
	"errors"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// createStackChecks asks for CreateStack on the stack and, where a role is handed
// over, for iam:PassRole.
func (s *Service) createStackChecks(ctx context.Context, in *api.CreateStackInput) ([]aws.Check, error) {
	return append(s.stackChecks(ctx, aws.Val(in.StackName)), passRole(in.RoleARN)...), nil
}

func passRole(role *string) []aws.Check {
	if role == nil {
		return nil
	}
	return []aws.Check{aws.PassRole(*role, "cloudformation.amazonaws.com")}
}

// CreateStack judges the request, commits the stack as CREATE_IN_PROGRESS and
// answers; the engine does the work.
func (s *Service) CreateStack(ctx context.Context, in *api.CreateStackInput) (*api.CreateStackOutput, error) {
	c := aws.CallFrom(ctx)
	sum, err := digest(in)
	if err != nil {
		return nil, err
	}
	st, err := s.find(ctx, in.StackName, noStack)
	switch {
	case err == nil && st.Status != stack.ReviewInProgress:
		return repeated(st, in.ClientRequestToken, sum)
	case err != nil && awserr.As(err) == nil:
		return nil, err
	case err != nil:
		st = newStack(c, *in.StackName)
	}
	onFailure, err := s.judgeCreate(in)
	if err != nil {
		return nil, err
	}
	body, err := s.source(ctx, in.TemplateBody, in.TemplateURL)
	if err != nil {
		return nil, err
	}
	p, err := s.prepare(ctx, st, wanted{body: body, parameters: in.Parameters, capabilities: in.Capabilities,
		resourceTypes: in.ResourceTypes, tags: in.Tags, topics: in.NotificationARNs, rollback: in.RollbackConfiguration, role: aws.Val(in.RoleARN)}, nil)
	if err != nil {
		return nil, err
	}
	b, err := s.beginCreation(ctx, st, in, p)
	if err != nil {
		return nil, err
	}
	b.Digest, b.OnFailure, b.DisableRollback = sum, onFailure, onFailure == "DO_NOTHING"
	made, err := s.startCreation(ctx, st, b)
	if err != nil {
		return nil, err
	}
	return &api.CreateStackOutput{StackId: &made.ID, OperationId: &made.OperationID}, nil
}

// beginCreation is what a creation hands to the engine.
func (s *Service) beginCreation(ctx context.Context, st *stack.Stack, in *api.CreateStackInput, p *prepared) (stack.Begin, error) {
	policy, err := s.policyText(ctx, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return stack.Begin{}, err
	}
	b, err := s.begin(ctx, st, aws.Val(in.RoleARN), aws.Val(in.ClientRequestToken))
	if err != nil {
		return stack.Begin{}, err
	}
	b.Spec, b.Policy = &p.spec, policy
	b.RetainExcept, b.Express = aws.Val(in.RetainExceptOnCreate), express(in.DeploymentConfig)
	b.TimeoutInMinutes, b.Protect = aws.Val(in.TimeoutInMinutes), aws.Val(in.EnableTerminationProtection)
	return b, nil
}

// newStack is a stack that is to be.
func newStack(c aws.Call, name string) *stack.Stack {
	return &stack.Stack{ID: stack.NewStackID(c.Region, c.Account, name), Name: name, Account: c.Account, Region: c.Region}
}

// startCreation starts on a stack: a new one, or st if it waits for a change set, of
// which none can be executed then.
func (s *Service) startCreation(ctx context.Context, st *stack.Stack, b stack.Begin) (*stack.Stack, error) {
	if parent := parentOf(ctx); parent != nil {
		b.Parent, b.Root = parent.ID, rootOf(parent)
	}
	start := s.engine.Create
	if st.Status == stack.ReviewInProgress {
		start = func(ctx context.Context, b stack.Begin) (*stack.Stack, error) {
			return s.engine.Start(ctx, st.Key(), b)
		}
	}
	made, err := start(ctx, b)
	if errors.Is(err, store.ErrExists) || errors.Is(err, stack.ErrBusy) {
		return nil, awserr.New("AlreadyExistsException", "Stack [%s] already exists", b.StackName)
	}
	s.linger(ctx, made, err)
	return made, err
}

// rootOf is the stack above all that st belongs to, itself for a user's own.
func rootOf(st *stack.Stack) string {
	if st.Root != "" {
		return st.Root
	}
	return st.ID
}

// repeated answers a request for a name that exists: the same request again, by
// its token, gives the stack that it made.
func repeated(st *stack.Stack, token *string, sum string) (*api.CreateStackOutput, error) {
	if t := aws.Val(token); t != "" && t == st.RequestToken && st.OperationName == "CreateStack" {
		if sum == st.RequestDigest {
			return &api.CreateStackOutput{StackId: &st.ID, OperationId: &st.OperationID}, nil
		}
		return nil, awserr.New("TokenAlreadyExistsException", "A client request token already exists: %s", t)
	}
	return nil, awserr.New("AlreadyExistsException", "Stack [%s] already exists", st.Name)
}

// judgeCreate refuses what contradicts itself or is not built, and returns what
// to do on failure.
func (s *Service) judgeCreate(in *api.CreateStackInput) (string, error) {
	if in.OnFailure != "" && in.DisableRollback != nil {
		return "", invalid("You can specify either DisableRollback or OnFailure, but not both.")
	}
	if in.StackPolicyBody != nil && in.StackPolicyURL != nil {
		return "", invalid("You cannot specify both StackPolicyURL and StackPolicyBody")
	}
	if err := checkRollback(in.RollbackConfiguration); err != nil {
		return "", err
	}
	if err := checkTopics(in.NotificationARNs); err != nil {
		return "", err
	}
	onFailure := string(in.OnFailure)
	keep, err := keepFailures(in.DeploymentConfig, in.DisableRollback)
	if keep && onFailure == "" {
		onFailure = "DO_NOTHING"
	}
	return onFailure, err
}

// patience is how long an operation that was begun holds back its answer for the
// stack to rest. The waiters of AWS's tools ask at once and then after 30 seconds:
// most stacks here are ready sooner than the first question can come.
const patience = 300 * time.Millisecond

// linger waits for the stack to rest, not longer than patience.
func (s *Service) linger(ctx context.Context, st *stack.Stack, err error) {
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := s.clock.After(patience)
	go func() {
		select {
		case <-timer:
			cancel()
		case <-ctx.Done():
		}
	}()
	_, _ = s.engine.Wait(ctx, st.Key()) // how it ended is not this answer's matter
}

// begin is what every operation hands to the engine.
func (s *Service) begin(ctx context.Context, st *stack.Stack, role, token string) (stack.Begin, error) {
	c := aws.CallFrom(ctx)
	if role == "" {
		role = st.RoleARN
	}
	who, err := s.principalOf(ctx, role)
	if err != nil {
		return stack.Begin{}, err
	}
	return stack.Begin{Caller: who, RoleARN: role, Operation: c.Operation, RequestID: c.RequestID, Token: token,
		StackID: st.ID, StackName: st.Name, Account: c.Account, Region: c.Region}, nil
}

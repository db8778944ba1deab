package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/service/access"
	"github.com/hardstand/hardstand/internal/service/autoscaling"
	"github.com/hardstand/hardstand/internal/service/cloudformation"
	"github.com/hardstand/hardstand/internal/service/cloudwatch"
	"github.com/hardstand/hardstand/internal/service/codedeploy"
	"github.com/hardstand/hardstand/internal/service/ec2"
	"github.com/hardstand/hardstand/internal/service/ecr"
	"github.com/hardstand/hardstand/internal/service/elb"
	"github.com/hardstand/hardstand/internal/service/elbv2"
	"github.com/hardstand/hardstand/internal/service/iam"
	"github.com/hardstand/hardstand/internal/service/kms"
	"github.com/hardstand/hardstand/internal/service/logs"
	"github.com/hardstand/hardstand/internal/service/route53"
	"github.com/hardstand/hardstand/internal/service/s3"
	"github.com/hardstand/hardstand/internal/service/secretsmanager"
	"github.com/hardstand/hardstand/internal/service/sns"
	"github.com/hardstand/hardstand/internal/service/sqs"
	"github.com/hardstand/hardstand/internal/service/ssm"
	"github.com/hardstand/hardstand/internal/service/sts"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// world is all that a reset throws away: state, machines and the services on top.
type world struct {
	s      *System
	db     *store.DB
	blobs  blob.Store
	ground *ground
	wire   *wire.Server

	recorder   *access.Recorder
	iam        *iam.Service
	ec2        *ec2.Service
	plane      *lb.Plane // nil with the fake driver
	elb        *elb.Service
	elbv2      *elbv2.Service
	s3         *s3.Service
	ssm        *ssm.Service
	secrets    *secretsmanager.Service
	route53    *route53.Service
	ecr        *ecr.Service
	kms        *kms.Service
	codedeploy *codedeploy.Service
	logs       *logs.Service
	cloudwatch *cloudwatch.Service
	sqs        *sqs.Service
	sns        *sns.Service
	scaling    *autoscaling.Service
	engine     *stack.Engine
	cfn        *cloudformation.Service
	agents     agentBucket
	addresses  *addresses

	calls *calls
	// closers undo what opening has done, last first.
	closers []func() error
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// openWorld builds the world from the bottom up.
func openWorld(ctx context.Context, s *System) (*world, error) {
	w := &world{s: s, calls: newCalls(s.reserve)}
	for _, step := range []func(context.Context) error{
		w.openStore, w.openIdentity, w.openStorage, w.openCompute, w.openBalancers, w.openDeployment, w.openMessaging, w.openStacks, w.register, w.openAccount,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

func (w *world) onClose(f func() error) { w.closers = append(w.closers, f) }

func (w *world) close() error {
	w.halt()
	var errs []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	w.closers = nil
	return errors.Join(errs...)
}

func (w *world) openStore(ctx context.Context) error {
	cfg := w.s.cfg
	var err error
	w.db, err = store.Open(ctx, store.Config{URL: cfg.Database, Dir: w.s.dir.path, Clock: cfg.Clock, Log: cfg.Log})
	if err != nil && cfg.Database != "" {
		return &Refusal{Cause: "the database cannot be used", Remedy: "correct --database, which has the form postgres://USER:PASSWORD@HOST:PORT/NAME, or start the database", Err: err}
	}
	if err != nil {
		return err
	}
	w.onClose(w.db.Close)
	if err := w.refuseLostState(ctx); err != nil {
		return err
	}
	w.blobs, err = openBlobs(ctx, w.s.dir, cfg.Blob)
	return err
}

// refuseLostState refuses to begin a new world in a data dir that holds an old one:
// objects and disks that no row names would be taken for leftovers and removed.
func (w *world) refuseLostState(ctx context.Context) error {
	if !w.s.dir.used {
		return nil
	}
	empty, err := w.db.Empty(ctx)
	if err != nil || !empty {
		return err
	}
	if w.s.cfg.Database != "" {
		return w.s.dir.lost("what the database (--database) held")
	}
	return w.s.dir.lost(w.s.dir.join("state.db"))
}

func (w *world) openIdentity(context.Context) error {
	cfg := w.s.cfg
	w.recorder = access.NewRecorder(w.db, cfg.Clock)
	w.iam = iam.New(iam.Config{Recorder: w.recorder, DB: w.db, Sealer: w.s.sealer, Clock: cfg.Clock, Log: cfg.Log, AuditOnly: cfg.IAM == "audit"})
	w.wire = wire.NewServer(wire.Config{
		Credentials: w.iam, Authorizer: w.iam, Used: w.iam.Used, Clock: cfg.Clock, Log: cfg.Log,
		Schemes: []wire.Scheme{cloudformation.IdentityScheme{Identities: identities{w.s}}},
		Account: cfg.AccountID, Region: cfg.Region, Landing: http.HandlerFunc(landing),
	})
	return nil
}

func (w *world) openStorage(context.Context) error {
	cfg := w.s.cfg
	w.agents = newAgentBucket(w.s)
	w.route53 = route53.New(route53.Config{DB: w.db, Invoker: w.wire, Balancers: w.balancerAddresses}) // the VPCs' name servers ask it
	w.s3 = s3.New(s3.Config{
		Store: w.db, Blobs: w.blobs, Clock: cfg.Clock, Authorizer: w.iam, Keeper: w.s.sealer, Published: w.agents, Invoker: w.wire, Log: cfg.Log,
	})
	return nil
}

func (w *world) openCompute(ctx context.Context) error {
	cfg := w.s.cfg
	g, err := w.openGround(ctx)
	if err != nil {
		return err
	}
	w.ground = g
	w.onClose(func() error {
		idle, err := w.ec2.Idle(context.Background())
		return errors.Join(err, g.close(err == nil && idle))
	})
	w.ec2 = ec2.New(ec2.Config{
		DB: w.db, Sealer: w.s.sealer, Clock: cfg.Clock, Log: cfg.Log, Instances: g.manager, Network: g.network,
		Profiles: profiles{w.iam}, Invoker: w.wire, PublicCIDR: cfg.PublicCIDR, Fake: cfg.Instances == InstancesFake,
	})
	w.addresses = &addresses{db: w.db, read: w.placeOf}
	return nil
}

func (w *world) openDeployment(context.Context) error {
	cfg := w.s.cfg
	w.ssm = ssm.New(ssm.Config{DB: w.db, Sealer: w.s.sealer, Invoker: w.wire, ImageID: ec2.ImageIDFor})
	w.logs = logs.New(logs.Config{DB: w.db, Clock: cfg.Clock, Log: cfg.Log, Invoker: w.wire})
	w.scaling = autoscaling.New(autoscaling.Config{
		DB: w.db, Sealer: w.s.sealer, Clock: cfg.Clock, Log: cfg.Log, Invoker: w.wire, Roles: serviceRoles{w.iam}, Profiles: profiles{w.iam},
	})
	w.cloudwatch = cloudwatch.New(cloudwatch.Config{DB: w.db, Clock: cfg.Clock, Log: cfg.Log, Invoker: w.wire, Scaling: w.scaling})
	w.ecr, w.kms = ecr.New(ecr.Config{DB: w.db, Invoker: w.wire}), kms.New()
	w.secrets = secretsmanager.New(secretsmanager.Config{DB: w.db, Sealer: w.s.sealer, Invoker: w.wire})
	w.codedeploy = codedeploy.New(codedeploy.Config{
		DB: w.db, Sealer: w.s.sealer, Clock: cfg.Clock, Log: cfg.Log, Invoker: w.wire,
		Roles: serviceRoles{w.iam}, Authorizer: w.iam, Authority: w.s.ca,
	})
	return nil
}

func (w *world) openStacks(context.Context) error {
	cfg := w.s.cfg
	w.engine = stack.New(stack.Config{
		DB: w.db, Sealer: w.s.sealer, Clock: cfg.Clock, Log: cfg.Log,
		Types: registry(w.ec2, w.iam, w.s3, w.ssm, w.codedeploy, w.wire,
			w.secrets.Resources(),
			w.route53.Resources(),
			w.ecr.Resources(),
			w.kms.Resources(),
			w.logs.Resources(),
			w.cloudwatch.Resources(),
			w.sqs.Resources(),
			w.sns.Resources(),
			w.elb.Resources(),
			w.elbv2.Resources(),
			w.scaling.Resources(),
		),
		Outside: cloudformation.Outside{Invoker: w.wire}, Alarms: cloudformation.Outside{Invoker: w.wire}, Endpoint: w.s.Endpoint(),
	})
	w.onClose(w.engine.Close)
	w.cfn = cloudformation.New(cloudformation.Config{
		DB: w.db, Clock: cfg.Clock, Sealer: w.s.sealer, Log: cfg.Log, Engine: w.engine, Invoker: w.wire, Instances: w.ec2, Roles: serviceRoles{w.iam}, Sessions: serviceRoles{w.iam},
		Endpoint: w.s.Endpoint(),
	})
	w.wire.Mount(stack.HandlePrefix, w.engine.HandleHandler())
	w.wire.Mount(cloudformation.ResponsePrefix, w.cfn.ResponseHandler())
	return nil
}

func (w *world) register(context.Context) error {
	err := w.wire.Register(
		w.ec2.Wire(),
		w.iam.Wire(),
		sts.New(w.iam).Wire(),
		w.s3.Wire(),
		w.ssm.Wire(),
		w.secrets.Wire(),
		w.route53.Wire(),
		w.ecr.Wire(),
		w.kms.Wire(),
		w.logs.Wire(),
		w.cloudwatch.Wire(),
		w.sqs.Wire(),
		w.sns.Wire(),
		w.elb.Wire(),
		w.elbv2.Wire(),
		w.scaling.Wire(),
		w.codedeploy.Wire(),
		w.codedeploy.CommandsWire(),
		w.cfn.Wire(),
		access.New(access.Config{Recorder: w.recorder, Explainer: w.iam}).Wire(),
	)
	if err != nil {
		return fmt.Errorf("register services: %w", err)
	}
	return nil
}

// openAccount makes the first account with its root key.
func (w *world) openAccount(ctx context.Context) error {
	cfg := w.s.cfg
	var preset *iam.Key
	switch {
	case cfg.RootAccessKeyID != "":
		preset = &iam.Key{ID: cfg.RootAccessKeyID, Secret: cfg.RootSecretAccessKey}
	case w.s.access.AccessKeyID != "": // a reset keeps the key that shells have
		preset = &iam.Key{ID: w.s.access.AccessKeyID, Secret: w.s.access.SecretAccessKey}
	}
	key, err := w.iam.EnsureRoot(ctx, cfg.AccountID, preset)
	if err != nil {
		return err
	}
	w.s.access = Access{
		Endpoint: w.s.Endpoint(), Region: cfg.Region, Account: cfg.AccountID,
		AccessKeyID: key.ID, SecretAccessKey: key.Secret, CABundle: w.s.ca.File(),
	}
	return nil
}

// run takes over the machines that are there and starts what works in the
// background, until halt. What ends early ends the server. Nothing calls EC2 before
// run returns: not requests, and not the stacks that go on.
func (w *world) run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	if err := w.ec2.Adopt(work); err != nil {
		w.s.fail(fmt.Errorf("adopt instances: %w", err))
		return
	}
	w.upkeep(work, "events", w.pruneEvents)
	w.upkeep(work, "iam", w.iam.Run)
	w.upkeep(work, "access", w.recorder.Run)
	w.background(work, "ec2", w.ec2.Run)
	w.upkeep(work, "ec2 metrics", w.ec2.PublishMetrics)
	w.background(work, "s3", w.s3.Sweep)
	w.upkeep(work, "s3 lifecycle", w.s3.RunLifecycle)
	w.upkeep(work, "secretsmanager", w.secrets.Run)
	w.upkeep(work, "ssm", w.ssm.Run)
	w.upkeep(work, "s3 notifications", w.s3.RunNotifications)
	w.background(work, "codedeploy", w.codedeploy.Run)
	w.upkeep(work, "logs", w.logs.Run)
	w.upkeep(work, "cloudwatch", w.cloudwatch.Run)
	w.upkeep(work, "sqs", w.sqs.Run)
	w.upkeep(work, "sns", w.sns.Run)
	w.upkeep(work, "elb", w.elb.Run)
	w.upkeep(work, "elbv2", w.elbv2.Run)
	w.upkeep(work, "autoscaling", w.scaling.Run)
	w.background(work, "cloudformation", w.engine.Resume)
	w.upkeep(work, "stack sets", w.cfn.Run)
	w.upkeep(work, "stack notifications", w.cfn.Notify)
	for _, service := range []interface {
		Aging() []func(context.Context) error
	}{w.iam, w.route53, w.sqs, w.cloudwatch, w.cfn} {
		for _, f := range service.Aging() {
			w.upkeep(work, fmt.Sprintf("removal of old rows of %T", service), f)
		}
	}
}

// pruneEvents keeps the events of the last days: what waits for them reads them at once.
func (w *world) pruneEvents(ctx context.Context) error {
	return w.db.Prune(ctx, store.Retention{Age: 7 * 24 * time.Hour, Count: 100_000, Except: []store.Filter{stack.KeptEvents}})
}

func (w *world) background(work context.Context, name string, f func(context.Context) error) {
	w.running.Go(func() {
		// What ends because it was stopped has not failed.
		if err := f(work); err != nil && work.Err() == nil {
			w.s.fail(fmt.Errorf("run %s: %w", name, err))
		}
	})
}

// upkeep is background work that can begin again: what it cannot do now, with a full
// disk perhaps, is no reason to end the server.
func (w *world) upkeep(work context.Context, name string, f func(context.Context) error) {
	w.background(work, name, func(ctx context.Context) error {
		for {
			err := f(ctx)
			if err == nil || ctx.Err() != nil {
				return nil
			}
			w.s.cfg.Log.ErrorContext(ctx, "background work failed and begins again", "work", name, "error", err)
			if clock.Sleep(ctx, w.s.cfg.Clock, time.Second) != nil {
				return nil
			}
		}
	})
}

// halt stops the background work and waits for it.
func (w *world) halt() {
	if w.cancel != nil {
		w.cancel()
	}
	w.running.Wait()
}

// terminateAll ends every machine of this server. Stacks rest first: they would make
// new ones.
func (w *world) terminateAll(ctx context.Context) error {
	return errors.Join(w.engine.Close(), w.ec2.TerminateAll(ctx))
}

package app

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/service/cloudformation"
	"github.com/hardstand/hardstand/internal/service/codedeploy"
	"github.com/hardstand/hardstand/internal/service/ec2"
	"github.com/hardstand/hardstand/internal/service/iam"
	"github.com/hardstand/hardstand/internal/service/s3"
	"github.com/hardstand/hardstand/internal/service/ssm"
	"github.com/hardstand/hardstand/internal/service/sts"
	"github.com/hardstand/hardstand/internal/wire"
)

// tables returns the operation tables of all services. The services behind them
// are not opened: the tables do not depend on it.
func tables() []wire.Service {
	deployments := codedeploy.New(codedeploy.Config{Clock: clock.System{}})
	return []wire.Service{
		ec2.New(ec2.Config{}).Wire(), iam.New(iam.Config{}).Wire(), s3.New(s3.Config{}).Wire(), sts.New(nil).Wire(),
		ssm.New(ssm.Config{}).Wire(), cloudformation.New(cloudformation.Config{}).Wire(), deployments.Wire(), deployments.CommandsWire(),
	}
}

// WriteReference writes a page per service into dir: every operation of the API,
// whether it is built, and the permission it needs.
func WriteReference(dir string) error {
	for _, t := range tables() {
		if err := writeReference(filepath.Join(dir, t.Model.Name+".md"), t); err != nil {
			return err
		}
	}
	return nil
}

func writeReference(file string, t wire.Service) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write the reference: %w", err)
	}
	defer f.Close()
	if err := wire.WriteReference(f, t); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return f.Close()
}

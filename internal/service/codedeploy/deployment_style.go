package codedeploy

import (
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// style is the group's, defaults filled in.
func (g *group) style() *api.DeploymentStyle {
	st := &api.DeploymentStyle{DeploymentType: api.DeploymentTypeInPlace, DeploymentOption: api.DeploymentOptionWithoutTrafficControl}
	if g.Style != nil && g.Style.DeploymentType != "" {
		st.DeploymentType = g.Style.DeploymentType
	}
	if g.Style != nil && g.Style.DeploymentOption != "" {
		st.DeploymentOption = g.Style.DeploymentOption
	}
	return st
}

// checkStyle refuses what is malformed.
func (g *group) checkStyle() error {
	st := g.style()
	if st.DeploymentOption == api.DeploymentOptionWithTrafficControl && g.Balancer == nil {
		return errBalancer("The deployment option WITH_TRAFFIC_CONTROL needs a load balancer or a target group.")
	}
	if g.BlueGreen == nil {
		return nil
	}
	if st.DeploymentType == api.DeploymentTypeInPlace {
		return errBlueGreen("It was given for deployments in place.")
	}
	if copies(g.BlueGreen) && len(g.Scaling) != 1 {
		return errBlueGreen("COPY_AUTO_SCALING_GROUP needs a deployment group with one Auto Scaling group.")
	}
	return checkBlueGreen(g.BlueGreen)
}

func errBlueGreen(why string) error {
	return awserr.New("InvalidBlueGreenDeploymentConfigurationException",
		"The configuration for the blue/green deployment group was provided in an invalid format. %s", why)
}

// maxWaitMinutes is two days, AWS's limit for both waits.
const maxWaitMinutes = 2 * 24 * 60

func checkBlueGreen(b *api.BlueGreenDeploymentConfiguration) error {
	if o := b.DeploymentReadyOption; o != nil {
		stop := o.ActionOnTimeout == api.DeploymentReadyActionStopDeployment
		minutes := aws.Val(o.WaitTimeInMinutes)
		switch {
		case stop && (minutes < 1 || minutes > maxWaitMinutes):
			return errBlueGreen("STOP_DEPLOYMENT needs waitTimeInMinutes, from 1 to 2880.")
		case !stop && minutes != 0:
			return errBlueGreen("waitTimeInMinutes is for STOP_DEPLOYMENT only.")
		}
	}
	if o := b.TerminateBlueInstancesOnDeploymentSuccess; o != nil {
		if minutes := aws.Val(o.TerminationWaitTimeInMinutes); minutes < 0 || minutes > maxWaitMinutes {
			return errBlueGreen("terminationWaitTimeInMinutes is from 0 to 2880.")
		}
	}
	return nil
}

// chooseStyle holds the target instances that CreateDeployment named against the
// style of the group.
func (d *deployment) chooseStyle(given *api.TargetInstances, g *group) error {
	invalid := func(why string) error {
		return awserr.New("InvalidTargetInstancesException", "The target instance configuration is invalid. %s", why)
	}
	some := given != nil && (len(given.TagFilters)+len(given.AutoScalingGroups) > 0 || given.Ec2TagSet != nil)
	if g.style().DeploymentType == api.DeploymentTypeInPlace {
		if some {
			return invalid("Target instances were given for an in-place deployment.")
		}
		return nil
	}
	if copies(g.BlueGreen) {
		if some {
			return invalid("The deployment group copies its Auto Scaling group: target instances cannot be given.")
		}
		d.BlueGreen = &blueGreen{Options: g.BlueGreen, Original: g.Scaling[0].Name}
		return nil
	}
	if !some {
		return invalid("A blue/green deployment to existing instances needs them in targetInstances.")
	}
	if err := checkScaling(given.AutoScalingGroups); err != nil {
		return err
	}
	if err := checkSelector(ec2Selector(given.TagFilters, given.Ec2TagSet), errTagCombination, "InvalidTargetInstancesException"); err != nil {
		return err
	}
	d.New, d.BlueGreen = given, &blueGreen{Options: g.BlueGreen}
	return nil
}

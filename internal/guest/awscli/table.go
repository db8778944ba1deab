package awscli

import (
	"strings"
	"sync"
)

// plainCommands are commands whose options become the members of one operation, a
// line each. A line that begins with @ names the service as the command line does,
// how it is spoken to, and its name in signatures. An option's last sign says what it
// takes: nothing (text), # a number, ? nothing or no- before it, * a list, { a
// structure or a map, [ a list of structures. A ! behind that says that it must be
// given. Then may stand the name in the API, where the rule does not give it, and behind a colon
// the only member of a structure, which its value alone stands for. ~ behind a command
// names the list that its pages are joined in.
const plainCommands = `
@ssm json AmazonSSM
get-parameter name! with-decryption?
get-parameters names*! with-decryption?
get-parameters-by-path~Parameters path! recursive? with-decryption? parameter-filters[ max-results#
put-parameter name! value! description type key-id overwrite? allowed-pattern tags[ tier data-type
delete-parameter name!
describe-parameters~Parameters parameter-filters[
@secretsmanager json secretsmanager
get-secret-value secret-id! version-id version-stage
describe-secret secret-id!
list-secrets~SecretList filters[
create-secret name! description secret-string kms-key-id tags[
put-secret-value secret-id! secret-string version-stages*
@logs json Logs_20140328
create-log-group log-group-name!
create-log-stream log-group-name! log-stream-name!
describe-log-groups~logGroups log-group-name-prefix limit#
describe-log-streams~logStreams log-group-name! log-stream-name-prefix limit#
put-retention-policy log-group-name! retention-in-days#!
filter-log-events~events log-group-name! filter-pattern start-time# end-time# log-stream-names*
@sqs json AmazonSQS
send-message queue-url! message-body! delay-seconds# message-group-id message-deduplication-id message-attributes{
receive-message queue-url! max-number-of-messages# wait-time-seconds# visibility-timeout# attribute-names* message-attribute-names*
delete-message queue-url! receipt-handle!
get-queue-url queue-name!
list-queues~QueueUrls queue-name-prefix
create-queue queue-name! attributes{ tags{
get-queue-attributes queue-url! attribute-names*
purge-queue queue-url!
delete-queue queue-url!
change-message-visibility queue-url! receipt-handle! visibility-timeout#!
@cloudwatch json GraniteServiceVersion20100801 monitoring
set-alarm-state alarm-name! state-value! state-reason!
describe-alarms~MetricAlarms alarm-names* state-value
@deploy json CodeDeploy_20141006 codedeploy
create-deployment application-name! deployment-group-name deployment-config-name description ignore-application-stop-failures? file-exists-behavior revision{ s3-location{ github-location{
get-deployment deployment-id!
list-deployments~deployments application-name deployment-group-name include-only-statuses*
stop-deployment deployment-id!
register-on-premises-instance instance-name! iam-user-arn iam-session-arn
@sts query 2011-06-15
get-caller-identity
assume-role role-arn! role-session-name! duration-seconds# external-id policy
get-session-token duration-seconds#
@sns query 2010-03-31
publish message! topic-arn! subject message-structure
list-topics
create-topic name!
subscribe topic-arn! protocol! notification-endpoint!Endpoint
@cloudformation query 2010-05-15
signal-resource stack-name! logical-resource-id! unique-id! status!
describe-stack-resource stack-name! logical-resource-id!
describe-stacks~Stacks stack-name
describe-stack-resources stack-name logical-resource-id physical-resource-id
list-stack-resources~StackResourceSummaries stack-name!
describe-stack-events~StackEvents stack-name!
list-exports~Exports
@elb query 2012-06-01 elasticloadbalancing
describe-instance-health load-balancer-name! instances[:InstanceId
describe-load-balancers~LoadBalancerDescriptions load-balancer-names*
register-instances-with-load-balancer load-balancer-name! instances[!:InstanceId
deregister-instances-from-load-balancer load-balancer-name! instances[!:InstanceId
@elbv2 query 2015-12-01 elasticloadbalancing
describe-target-health target-group-arn! targets[
describe-target-groups~TargetGroups load-balancer-arn target-group-arns* names*
describe-load-balancers~LoadBalancers load-balancer-arns* names*
register-targets target-group-arn! targets[!
deregister-targets target-group-arn! targets[!
@autoscaling query 2011-01-01
describe-auto-scaling-groups~AutoScalingGroups auto-scaling-group-names* filters[
describe-auto-scaling-instances~AutoScalingInstances instance-ids*
describe-lifecycle-hooks auto-scaling-group-name! lifecycle-hook-names*
complete-lifecycle-action lifecycle-hook-name! auto-scaling-group-name! lifecycle-action-token lifecycle-action-result! instance-id
record-lifecycle-action-heartbeat lifecycle-hook-name! auto-scaling-group-name! lifecycle-action-token instance-id
set-instance-health instance-id! health-status! should-respect-grace-period?
set-instance-protection instance-ids*! auto-scaling-group-name! protected-from-scale-in?
set-desired-capacity auto-scaling-group-name! desired-capacity#! honor-cooldown?
enter-standby instance-ids* auto-scaling-group-name! should-decrement-desired-capacity?
exit-standby instance-ids* auto-scaling-group-name!
suspend-processes auto-scaling-group-name! scaling-processes*
resume-processes auto-scaling-group-name! scaling-processes*
terminate-instance-in-auto-scaling-group instance-id! should-decrement-desired-capacity?
@ec2 ec2 2016-11-15
describe-tags~Tags filters[Filter
describe-instances~Reservations filters[Filter instance-ids*InstanceId
create-tags resources*!ResourceId tags[!Tag
delete-tags resources*!ResourceId tags[Tag
associate-address instance-id allocation-id public-ip network-interface-id private-ip-address allow-reassociation?
disassociate-address association-id public-ip
describe-addresses filters[Filter allocation-ids*AllocationId public-ips*PublicIp
describe-volumes~Volumes filters[Filter volume-ids*VolumeId
attach-volume device! instance-id! volume-id!
detach-volume volume-id! instance-id device force?
create-snapshot volume-id! description
describe-subnets~Subnets filters[Filter subnet-ids*SubnetId
describe-vpcs~Vpcs filters[Filter vpc-ids*VpcId
describe-security-groups~SecurityGroups filters[Filter group-ids*GroupId group-names*GroupName
describe-availability-zones filters[Filter zone-names*ZoneName
describe-regions filters[Filter region-names*RegionName
describe-route-tables~RouteTables filters[Filter route-table-ids*RouteTableId
describe-network-interfaces~NetworkInterfaces filters[Filter network-interface-ids*NetworkInterfaceId
describe-instance-status~InstanceStatuses filters[Filter instance-ids*InstanceId include-all-instances?
describe-images~Images filters[Filter image-ids*ImageId owners*Owner
modify-instance-attribute instance-id! source-dest-check?SourceDestCheck.Value disable-api-termination?DisableApiTermination.Value
create-route route-table-id! destination-cidr-block gateway-id instance-id network-interface-id
replace-route route-table-id! destination-cidr-block gateway-id instance-id network-interface-id
start-instances instance-ids*!InstanceId
stop-instances instance-ids*!InstanceId force?
reboot-instances instance-ids*!InstanceId
terminate-instances instance-ids*!InstanceId
`

// plain is a row of the table.
type plain struct {
	protocol, target, signing string
	operation, pages          string
	options                   []plainOption
}

type plainOption struct {
	name, api string
	only      string // the one member of the structures
	kind      byte   // 0 for text
	needed    bool
}

// plainTable reads plainCommands once.
var plainTable = sync.OnceValue(func() map[string]plain {
	table := map[string]plain{}
	var service string
	var row plain
	for line := range strings.Lines(plainCommands) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0][0] == '@':
			service = words[0][1:]
			row = plain{protocol: words[1], target: words[2], signing: service}
			if len(words) > 3 {
				row.signing = words[3]
			}
		default:
			p := row
			name, pages, _ := strings.Cut(words[0], "~")
			p.operation, p.pages = member(name, false), pages
			lower := service == "logs" || service == "deploy"
			for _, w := range words[1:] {
				p.options = append(p.options, parseOption(w, lower))
			}
			table[service+" "+name] = p
		}
	}
	return table
})

func parseOption(word string, lower bool) plainOption {
	o := plainOption{name: word}
	if i := strings.IndexAny(word, "#?*{[!"); i >= 0 {
		o.name, o.kind, o.api = word[:i], word[i], word[i+1:]
		if o.kind == '!' {
			o.kind, o.needed = 0, true
		} else {
			o.api, o.needed = strings.TrimPrefix(o.api, "!"), o.api != "" && o.api[0] == '!'
		}
	}
	if o.api, o.only, _ = strings.Cut(o.api, ":"); o.api == "" {
		o.api = member(o.name, lower)
	}
	return o
}

// command is how the row is parsed and run.
func (p plain) command() command {
	cmd := command{run: p.run}
	for _, o := range p.options {
		switch o.kind {
		case '*', '[':
			cmd.lists = append(cmd.lists, o.name)
		case '?':
			cmd.switches = append(cmd.switches, o.name, "no-"+o.name)
		default:
			cmd.values = append(cmd.values, o.name)
		}
	}
	return cmd
}

set -e
mkdir -p /opt/codedeploy-agent/state/.pid /var/log/aws/codedeploy-agent
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl enable codedeploy-agent.service
	systemctl restart codedeploy-agent.service
fi

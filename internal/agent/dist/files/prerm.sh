# At an upgrade the new package restarts the agent: rpm says 1, dpkg "upgrade".
if [ -d /run/systemd/system ] && [ "$1" != 1 ] && [ "$1" != upgrade ]; then
	systemctl disable --now codedeploy-agent.service || true
fi

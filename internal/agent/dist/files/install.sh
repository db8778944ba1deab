#!/bin/sh
# Installs hardstand's CodeDeploy agent: ./install auto
#
# In an instance of hardstand the agent is there already and only put in its
# place; elsewhere the package is fetched from the bucket this script came from.
set -eu

guest=/usr/lib/hardstand/hardstand-guest

# The packages that the bucket has for this machine.
packages() {
	case "$(uname -m)" in
@PACKAGES@
	*) fail "the bucket has no package for $(uname -m)" ;;
	esac
}

usage() {
	cat <<-END
	install [options] <package-type>
	  package-type: auto, rpm, deb or zypper
	options:
	  --sanity-check      report the agent's status at the end
	  --proxy URL         fetch through a proxy
	  -v, --version KEY   install the package with this key
	  -u, --upgrade       also install over an agent that is there
	  --disable-imds-v1   ask the metadata service with a token only
	  -h, --help          this text
	END
}

fail() {
	echo "install: $*" >&2
	exit 1
}

type= key= sanity=no
while [ $# -gt 0 ]; do
	case "$1" in
	auto | rpm | deb | zypper)
		[ -z "$type" ] || fail "more than one package type: $type, $1"
		type=$1
		;;
	--sanity-check) sanity=yes ;;
	--disable-imds-v1 | -u | --upgrade) ;; # nothing here does otherwise
	--proxy | -v | --version)
		[ $# -gt 1 ] || fail "$1 needs a value"
		case "$1" in
		--proxy) export http_proxy="$2" https_proxy="$2" ;;
		*) key=$2 ;;
		esac
		shift
		;;
	-h | --help)
		usage
		exit 0
		;;
	*)
		usage >&2
		fail "unknown argument: $1"
		;;
	esac
	shift
done
if [ -z "$type" ]; then
	usage >&2
	exit 1
fi
packages
[ "$(id -u)" = 0 ] || fail "must run as root (sudo ./install $type)"

if [ "$type" = auto ]; then
	if [ -x "$guest" ]; then
		type=guest
	elif command -v dpkg >/dev/null 2>&1; then
		type=deb
	elif command -v zypper >/dev/null 2>&1; then
		type=zypper
	elif command -v rpm >/dev/null 2>&1; then
		type=rpm
	else
		fail "found no package manager (dpkg, zypper or rpm)"
	fi
elif [ -x "$guest" ]; then
	type=guest
fi
case "$type" in
deb) want=$deb_key sum=$deb_sha256 ;;
*) want=$rpm_key sum=$rpm_sha256 ;;
esac
case "$key" in
'' | "$want") ;;
"$rpm_key" | "$deb_key") [ "$type" = guest ] || fail "$key is not a package for $type" ;;
*) fail "there is no $key: hardstand has one version of the agent, $rpm_key and $deb_key" ;;
esac

region() {
	if [ -n "${AWS_REGION:-}" ]; then
		echo "$AWS_REGION"
	elif [ -n "${AWS_DEFAULT_REGION:-}" ]; then
		echo "$AWS_DEFAULT_REGION"
	else
		echo us-east-1
	fi
}

fetch() { # key file
	bucket=aws-codedeploy-$(region)
	endpoint=${AWS_ENDPOINT_URL_S3:-${AWS_ENDPOINT_URL:-}}
	if [ -n "$endpoint" ]; then
		url=${endpoint%/}/$bucket/$1
	else
		url=https://$bucket.s3.$(region).${AWS_DOMAIN:-amazonaws.com}/$1
	fi
	if command -v curl >/dev/null 2>&1; then
		curl -fsSL --retry 5 -o "$2" "$url" || fail "cannot fetch $url"
	elif command -v wget >/dev/null 2>&1; then
		wget -q -O "$2" "$url" || fail "cannot fetch $url"
	else
		fail "needs curl or wget to fetch $url"
	fi
}

if [ "$type" = guest ]; then
	"$guest" yum -y install codedeploy-agent
	"$guest" service codedeploy-agent start
else
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	fetch "$want" "$dir/${want#latest/}"
	echo "$sum  $dir/${want#latest/}" | sha256sum -c - >/dev/null || fail "$want is not the package this script was made for"
	case "$type" in
	deb) dpkg -i "$dir/${want#latest/}" ;;
	zypper) zypper --no-gpg-checks install -y "$dir/${want#latest/}" ;;
	rpm)
		if command -v yum >/dev/null 2>&1; then
			yum -y localinstall "$dir/${want#latest/}"
		else
			rpm -U --force "$dir/${want#latest/}"
		fi
		;;
	esac
fi
if [ "$sanity" = yes ]; then
	if [ "$type" = guest ]; then
		"$guest" service codedeploy-agent status
	else
		service codedeploy-agent status
	fi
fi

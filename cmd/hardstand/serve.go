package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"

	"github.com/hardstand/hardstand/internal/app"
)

// serveCommand is `hardstand serve`. Every flag has a variable, so that a unit file
// or a container needs no arguments.
type serveCommand struct {
	Listen        string `default:"127.0.0.1:4566" env:"HARDSTAND_LISTEN" help:"Address and port, for http and https alike."`
	DataDir       string `env:"HARDSTAND_DATA_DIR" help:"Where everything is kept (/var/lib/hardstand as root)."`
	AccountID     string `default:"123456789012" env:"HARDSTAND_ACCOUNT_ID" help:"The first account, 12 digits."`
	Region        string `default:"us-east-1" env:"HARDSTAND_REGION" help:"The region that env exports and that unsigned requests act in."`
	Database      string `env:"HARDSTAND_DATABASE" help:"PostgreSQL URL; SQLite in the data dir when empty."`
	Blob          string `env:"HARDSTAND_BLOB" help:"Bucket for the bytes of objects, s3://BUCKET/PREFIX?endpoint=URL&region=REGION, with credentials from the environment; the data dir when empty."`
	PublicCIDR    string `name:"public-cidr" default:"198.18.0.0/15" env:"HARDSTAND_PUBLIC_CIDR" help:"Range of public addresses."`
	IAM           string `name:"iam" enum:"enforce,audit" default:"enforce" env:"HARDSTAND_IAM" help:"audit logs what would have been denied."`
	Instances     string `enum:"container,fake" default:"container" env:"HARDSTAND_INSTANCES" help:"fake keeps records only: nothing executes."`
	UserNS        string `name:"userns" enum:"on,off" default:"on" env:"HARDSTAND_USERNS" help:"off runs instances without a user namespace."`
	Egress        string `enum:"on,off" default:"on" env:"HARDSTAND_EGRESS" help:"Whether instances reach the internet."`
	EgressLAN     bool   `name:"egress-lan" env:"HARDSTAND_EGRESS_LAN" help:"Let instances reach this machine and private networks."`
	AllowReset    bool   `env:"HARDSTAND_ALLOW_RESET" help:"Enable reset and clock, for tests."`
	StopInstances bool   `env:"HARDSTAND_STOP_INSTANCES" help:"Terminate the instances when the server stops."`
	LogLevel      string `enum:"debug,info,warn,error" default:"info" env:"HARDSTAND_LOG_LEVEL" help:"What goes to standard error."`
}

func (c serveCommand) config(to *console) (app.Config, error) {
	cidr, err := netip.ParsePrefix(c.PublicCIDR)
	if err != nil {
		return app.Config{}, app.UsageError(fmt.Sprintf("--public-cidr %q is not an address range, such as 198.18.0.0/15", c.PublicCIDR))
	}
	guest, err := guestBinary()
	if err != nil && c.Instances == app.InstancesContainer {
		return app.Config{}, err
	}
	others, err := otherGuests()
	if err != nil {
		return app.Config{}, err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return app.Config{}, err
	}
	return app.Config{
		Listen: c.Listen, DataDir: c.DataDir, AccountID: c.AccountID, Region: c.Region, Database: c.Database, Blob: c.Blob, PublicCIDR: cidr,
		IAM: c.IAM, Instances: c.Instances, UserNS: c.UserNS, Egress: c.Egress, EgressLAN: c.EgressLAN,
		AllowReset: c.AllowReset, StopInstances: c.StopInstances, Guest: guest, OtherGuests: others,
		RootAccessKeyID: os.Getenv("HARDSTAND_ROOT_ACCESS_KEY_ID"), RootSecretAccessKey: os.Getenv("HARDSTAND_ROOT_SECRET_ACCESS_KEY"),
		Log: slog.New(slog.NewTextHandler(to.err, &slog.HandlerOptions{Level: level})),
	}, nil
}

// Run opens the server, says how to use it and serves until it is told to stop.
func (c serveCommand) Run(ctx context.Context, to *console) error {
	cfg, err := c.config(to)
	if err != nil {
		return err
	}
	s, err := app.Open(ctx, cfg)
	if err != nil {
		return err
	}
	for _, line := range s.Banner() {
		fmt.Fprintln(to.out, line)
	}
	return errors.Join(s.Run(ctx), s.Close())
}

// Package arn parses and prints Amazon resource names.
package arn

import (
	"fmt"
	"strings"
)

// ARN is arn:Partition:Service:Region:Account:Resource.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// Parse splits s. The resource may hold colons; nothing is decoded.
func Parse(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, fmt.Errorf("%q is not an ARN", s)
	}
	return ARN{p[1], p[2], p[3], p[4], p[5]}, nil
}

func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// New returns an ARN of the aws partition.
func New(service, region, account, resource string) string {
	return ARN{"aws", service, region, account, resource}.String()
}

// Name returns what follows the last slash of an ARN or of its resource: the name
// behind a path. Nothing is checked.
func Name(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

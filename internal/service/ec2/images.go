package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// There is one image: the machine's own /usr under a synthesised root. Every
// well-formed ami id means it, and DescribeImages says so.

var imageID = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

const imageNote = "hardstand default image: this machine's /usr; every ami id maps to it"

func validImageID(id string) bool { return imageID.MatchString(id) }

// publicImage is an image name that templates and scripts look for.
type publicImage struct{ Name, Owner, OwnerID string }

var publicImages = []publicImage{
	{"al2023-ami-2023.6.20250115.0-kernel-6.1-x86_64", "amazon", "137112412989"},
	{"amzn2-ami-hvm-2.0.20250116.0-x86_64-gp2", "amazon", "137112412989"},
	{"ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20250112", "amazon", "099720109477"},
	{"ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250115", "amazon", "099720109477"},
	{"debian-12-amd64-20250115-1993", "amazon", "136693071363"},
}

// ImageIDFor gives the stable image id that stands for name: a public SSM
// parameter's path or an image's name.
func ImageIDFor(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "ami-" + hex.EncodeToString(sum[:])[:17]
}

// DescribeImages answers for the public names and for any id asked for.
func (s *Service) DescribeImages(_ context.Context, in *api.DescribeImagesInput) (*api.DescribeImagesOutput, error) {
	err := checkFilters(in.Filters, append(neverImage, "creation-date", "manifest-location", "block-device-mapping.delete-on-termination",
		"block-device-mapping.device-name", "block-device-mapping.volume-size", "block-device-mapping.encrypted", "image-id", "name", "owner-id", "owner-alias", "architecture", "state", "root-device-type",
		"virtualization-type", "is-public", "image-type", "hypervisor", "platform", "platform-details", "ena-support", "root-device-name", "description", "block-device-mapping.volume-type")...)
	if err != nil {
		return nil, err
	}
	var list []api.Image
	if len(in.ImageIds) > 0 {
		for _, id := range in.ImageIds {
			if !validImageID(id) {
				return nil, awserr.New("InvalidAMIID.Malformed", "Invalid id: \"%s\"", id)
			}
			list = append(list, imageFor(id))
		}
	} else {
		for _, p := range publicImages {
			list = append(list, apiImage(ImageIDFor(p.Name), p))
		}
	}
	// All images are public: nobody has a permission of their own.
	launchable := len(in.ExecutableUsers) == 0 || slices.Contains(in.ExecutableUsers, "all")
	kept := []api.Image{}
	for _, img := range list {
		if launchable && ownerMatches(in.Owners, img) && imageFields(img).matches(in.Filters) {
			kept = append(kept, img)
		}
	}
	kept, next, err := paginate(kept, func(i api.Image) string { return *i.ImageId }, in.NextToken, in.MaxResults)
	return &api.DescribeImagesOutput{Images: kept, NextToken: next}, err
}

func imageFor(id string) api.Image {
	for _, p := range publicImages {
		if ImageIDFor(p.Name) == id {
			return apiImage(id, p)
		}
	}
	return apiImage(id, publicImage{"hardstand/" + id, "amazon", "137112412989"})
}

func apiImage(id string, p publicImage) api.Image {
	return api.Image{
		ImageId: aws.Ptr(id), Name: aws.Ptr(p.Name), Description: aws.Ptr(imageNote), OwnerId: aws.Ptr(p.OwnerID), ImageOwnerAlias: aws.Ptr(p.Owner),
		ImageLocation: aws.Ptr(p.Owner + "/" + p.Name), State: "available", Architecture: api.ArchitectureValues(architecture), ImageType: "machine", Public: aws.Ptr(true),
		RootDeviceName: aws.Ptr(rootDevice), RootDeviceType: "ebs", VirtualizationType: "hvm", Hypervisor: "xen", EnaSupport: aws.Ptr(true),
		PlatformDetails: aws.Ptr("Linux/UNIX"), UsageOperation: aws.Ptr("RunInstances"), CreationDate: aws.Ptr("2025-01-16T00:00:00.000Z"),
		BlockDeviceMappings: []api.BlockDeviceMapping{{DeviceName: aws.Ptr(rootDevice), Ebs: &api.EbsBlockDevice{DeleteOnTermination: aws.Ptr(true), VolumeSize: aws.Ptr(defaultRoot), VolumeType: "gp2", Encrypted: aws.Ptr(false)}}},
	}
}

func imageFields(i api.Image) fields {
	return fields{
		"image-id": {*i.ImageId}, "name": {*i.Name}, "owner-id": {*i.OwnerId}, "owner-alias": {*i.ImageOwnerAlias}, "architecture": {architecture},
		"state": {"available"}, "root-device-type": {"ebs"}, "virtualization-type": {"hvm"}, "is-public": {"true"}, "image-type": {"machine"},
		"hypervisor": {"xen"}, "platform-details": {"Linux/UNIX"}, "ena-support": {"true"}, "root-device-name": {rootDevice}, "description": {imageNote},
		"block-device-mapping.volume-type": {"gp2"}, "block-device-mapping.delete-on-termination": {"true"}, "block-device-mapping.encrypted": {"false"},
		"block-device-mapping.device-name": {rootDevice}, "block-device-mapping.volume-size": {itoa(defaultRoot)},
		"creation-date": {*i.CreationDate}, "manifest-location": {*i.ImageLocation},
	}
}

// ownerMatches judges Owners: account ids, aliases and self, who owns nothing.
func ownerMatches(owners []string, i api.Image) bool {
	return len(owners) == 0 || slices.ContainsFunc(owners, func(o string) bool {
		return o == *i.OwnerId || strings.EqualFold(o, *i.ImageOwnerAlias)
	})
}

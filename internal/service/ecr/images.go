package ecr

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ecr"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// ListImages lists no images: nothing can be pushed.
func (s *Service) ListImages(ctx context.Context, in *api.ListImagesInput) (*api.ListImagesOutput, error) {
	if _, _, err := s.read(ctx, in.RegistryId, in.RepositoryName); err != nil {
		return nil, err
	}
	return &api.ListImagesOutput{ImageIds: []api.ImageIdentifier{}}, nil
}

// DescribeImages describes no images, and tells that those asked for are not there.
func (s *Service) DescribeImages(ctx context.Context, in *api.DescribeImagesInput) (*api.DescribeImagesOutput, error) {
	k, _, err := s.read(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	for _, id := range in.ImageIds {
		return nil, awserr.New("ImageNotFoundException", "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
			orNull(id.ImageDigest), orNull(id.ImageTag), k.ID, k.Account)
	}
	return &api.DescribeImagesOutput{ImageDetails: []api.ImageDetail{}}, nil
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func failures(ids []api.ImageIdentifier) []api.ImageFailure {
	out := []api.ImageFailure{}
	for _, id := range ids {
		out = append(out, api.ImageFailure{ImageId: &id, FailureCode: "ImageNotFound", FailureReason: aws.Ptr("Requested image not found")})
	}
	return out
}

// BatchGetImage tells that the images are not there.
func (s *Service) BatchGetImage(ctx context.Context, in *api.BatchGetImageInput) (*api.BatchGetImageOutput, error) {
	if _, _, err := s.read(ctx, in.RegistryId, in.RepositoryName); err != nil {
		return nil, err
	}
	return &api.BatchGetImageOutput{Images: []api.Image{}, Failures: failures(in.ImageIds)}, nil
}

// BatchDeleteImage tells that the images are not there.
func (s *Service) BatchDeleteImage(ctx context.Context, in *api.BatchDeleteImageInput) (*api.BatchDeleteImageOutput, error) {
	if _, _, err := s.read(ctx, in.RegistryId, in.RepositoryName); err != nil {
		return nil, err
	}
	return &api.BatchDeleteImageOutput{ImageIds: []api.ImageIdentifier{}, Failures: failures(in.ImageIds)}, nil
}

package deploy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"
)

var placeholder = regexp.MustCompile(`\{([A-Za-z0-9]+)\}`)

// expandURL puts the stack's outputs into the URL. Without a URL of the project's,
// an output that is one serves.
func (r *run) expandURL() (string, error) {
	if r.URL == "" {
		for _, k := range sortedKeys(r.outputs) {
			if v := r.outputs[k]; isURL(v) {
				return v, nil
			}
		}
		return "", nil
	}
	var missing string
	url := placeholder.ReplaceAllStringFunc(r.URL, func(m string) string {
		v, ok := r.outputs[m[1:len(m)-1]]
		if !ok {
			missing = m[1 : len(m)-1]
		}
		return v
	})
	if missing != "" {
		return "", &Failure{Exit: ExitURL, Cause: "url names the output " + missing + ", which the stack does not have"}
	}
	return url, nil
}

// urlPatience is how long the application may take to answer after its deployment
// has succeeded.
const urlPatience = 30 * time.Second

// verify asks the URL until it answers.
func (r *run) verify(ctx context.Context) error {
	url, err := r.expandURL()
	if err != nil {
		return err
	}
	if url == "" {
		r.progress.detail("no URL is known: nothing was asked")
		return nil
	}
	end := r.clock.Now().Add(urlPatience)
	err = r.pace.poll(ctx, func() (bool, error) {
		err := r.probe(ctx, url)
		return err == nil, unless(r.clock.Now().Before(end), err)
	})
	if err != nil {
		return &Failure{Cause: url + " does not answer, although the deployment succeeded", Exit: ExitURL, Err: err,
			Fix: "look whether the application listens on all addresses and whether a security group opens the port",
			See: r.command("status") + "; " + r.command("rollback") + " deploys the revision before this one again"}
	}
	r.URL = url
	r.progress.detail(url + " answers")
	return nil
}

// probe asks once; any status below 400 is an answer.
func (r *run) probe(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := r.web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}

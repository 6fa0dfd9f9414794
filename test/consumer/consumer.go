package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"time"
)

// Config says how a [Consumer] runs.
type Config struct {
	// VictoriaLogs is the program, see [Build].
	VictoriaLogs string
	// StreamFields is the header that the proxy expects with records, if any.
	StreamFields string
	// Args are further ones of VictoriaLogs.
	Args []string
}

// Consumer is VictoriaLogs with CubeAPM's addresses before it.
type Consumer struct {
	dir       string
	direct    string // VictoriaLogs itself
	logs      *process
	args      []string // of it
	program   string
	ingestion *httptest.Server
	querying  *httptest.Server
}

// Start runs VictoriaLogs on a free loopback port, with its storage in a
// temporary folder, and the proxies. The caller closes it.
func Start(ctx context.Context, cfg Config) (*Consumer, error) {
	c := &Consumer{}
	if err := c.start(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("start consumer: %w", err), c.Close())
	}
	return c, nil
}

func (c *Consumer) start(ctx context.Context, cfg Config) (err error) {
	if c.dir, err = os.MkdirTemp("", "pullcause-consumer-"); err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	c.direct = "http://" + address
	// Beyond its retention VictoriaLogs takes records with a 200 and drops them.
	c.program = cfg.VictoriaLogs
	c.args = append([]string{"-storageDataPath=storage", "-httpListenAddr=" + address, "-retentionPeriod=100y"}, cfg.Args...)
	if err := c.run(ctx); err != nil {
		return err
	}
	target := &url.URL{Scheme: "http", Host: address}
	c.ingestion = httptest.NewServer(ingestion(target, cfg.StreamFields))
	c.querying = httptest.NewServer(querying(target))
	return nil
}

func (c *Consumer) run(ctx context.Context) (err error) {
	if c.logs, err = startProcess(c.program, c.dir, c.args...); err != nil {
		return err
	}
	return c.logs.ready(ctx, c.direct+"/health")
}

// Restart kills VictoriaLogs with -9, waits, and starts it again on what it has stored.
func (c *Consumer) Restart(ctx context.Context, away time.Duration) error {
	if err := c.logs.kill(); err != nil {
		return fmt.Errorf("restart consumer: %w", err)
	}
	time.Sleep(away) //nolint:forbidigo // it is away for so long
	if err := c.run(ctx); err != nil {
		return fmt.Errorf("restart consumer: %w", err)
	}
	return nil
}

// IngestionURL is what otlp.cubeapm is set to: CubeAPM's port 3130.
func (c *Consumer) IngestionURL() string { return c.ingestion.URL }

// LogsURL is where records are received.
func (c *Consumer) LogsURL() string { return c.ingestion.URL + logsPath }

// QueryURL is where queries are answered: CubeAPM's port 3140.
func (c *Consumer) QueryURL() string { return c.querying.URL }

// Close ends it and removes its storage.
func (c *Consumer) Close() error {
	for _, s := range []*httptest.Server{c.ingestion, c.querying} {
		if s != nil {
			s.Close()
		}
	}
	var errs []error
	if c.logs != nil {
		errs = append(errs, c.logs.stop())
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

// most is how many rows a query may have here; CubeAPM cuts at 100 unless it is
// told a number.
const most = "100000"

// Query answers a query in LogsQL as CubeAPM does, about all that was received
// until now. A field that is missing in a row is empty.
func (c *Consumer) Query(ctx context.Context, query string) ([]map[string]string, error) {
	failed := func(err error) ([]map[string]string, error) {
		return nil, fmt.Errorf("query %q: %w", query, err)
	}
	if _, err := fetch(ctx, http.MethodGet, c.direct+"/internal/force_flush", nil); err != nil {
		return failed(err)
	}
	answer, err := fetch(ctx, http.MethodPost, c.QueryURL()+selectPath+"query", url.Values{"query": {query}, "limit": {most}})
	if err != nil {
		return failed(err)
	}
	var rows []map[string]string
	for decoder := json.NewDecoder(bytes.NewReader(answer)); ; {
		var row map[string]string
		switch err := decoder.Decode(&row); {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return failed(err)
		}
		rows = append(rows, row)
	}
}

// statusError is an answer that is no success.
type statusError struct {
	status int
	text   string
}

func (e statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.text) }

// fetch sends a form, if there is one, and returns the body of the answer.
func fetch(ctx context.Context, method, address string, form url.Values) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, statusError{status: resp.StatusCode, text: string(lastOf(body, 500))}
	}
	return body, nil
}

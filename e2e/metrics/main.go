// The program metrics reads what the operator exposes as Prometheus does, and asks it PromQL: its own parsers, storage and engine.
//
// It reads {"scrapes": [{"at": seconds, "text": "…"}], "expressions": ["…"]}, and writes one answer an expression, as of the last
// scrape. It speaks to nobody.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sort"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

type question struct {
	Scrapes []struct {
		At   int64  `json:"at"`
		Text string `json:"text"`
	} `json:"scrapes"`
	Expressions []string `json:"expressions"`
}

type answer struct {
	Expression string `json:"expression"`
	// What is wrong with it: it cannot be read, or names what is not exposed.
	Error  string  `json:"error,omitempty"`
	Result []value `json:"result"`
}

type value struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

// exposed has the labels of every metric that was read.
type exposed map[string]map[string]bool

func run() error {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var asked question
	if err := json.Unmarshal(input, &asked); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "metrics-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := tsdb.Open(folder, quiet, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return err
	}
	defer store.Close()
	known := exposed{}
	var last time.Time
	for _, scrape := range asked.Scrapes {
		last = time.Unix(scrape.At, 0)
		if err := read(store, known, last, []byte(scrape.Text)); err != nil {
			return fmt.Errorf("scrape at %d: %w", scrape.At, err)
		}
	}
	engine := promql.NewEngine(promql.EngineOpts{Logger: quiet, MaxSamples: 1_000_000, Timeout: time.Minute})
	answers := []answer{}
	for _, expression := range asked.Expressions {
		answers = append(answers, ask(engine, store, known, last, expression))
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

// read takes one scrape, as OpenMetrics in the strict sense.
func read(store *tsdb.DB, known exposed, at time.Time, text []byte) error {
	symbols := labels.NewSymbolTable()
	lines, err := textparse.New(text, "application/openmetrics-text; version=1.0.0; charset=utf-8", symbols, textparse.ParserOptions{})
	if err != nil {
		return err
	}
	appender := store.Appender(context.Background())
	for {
		entry, err := lines.Next()
		if err == io.EOF {
			return appender.Commit()
		}
		if err != nil {
			return err
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, number := lines.Series()
		var of labels.Labels
		lines.Labels(&of)
		if _, err := appender.Append(0, of, at.UnixMilli(), number); err != nil {
			return err
		}
		name := of.Get(labels.MetricName)
		if known[name] == nil {
			known[name] = map[string]bool{}
		}
		of.Range(func(label labels.Label) { known[name][label.Name] = true })
	}
}

func ask(engine *promql.Engine, store *tsdb.DB, known exposed, at time.Time, expression string) answer {
	said := answer{Expression: expression, Result: []value{}}
	if err := named(known, expression); err != nil {
		said.Error = err.Error()
		return said
	}
	query, err := engine.NewInstantQuery(context.Background(), store, nil, expression, at)
	if err != nil {
		said.Error = err.Error()
		return said
	}
	defer query.Close()
	result := query.Exec(context.Background())
	if result.Err != nil {
		said.Error = result.Err.Error()
		return said
	}
	vector, err := result.Vector()
	if err != nil {
		said.Error = err.Error()
		return said
	}
	for _, sample := range vector {
		said.Result = append(said.Result, value{sample.Metric.Map(), sample.F})
	}
	sort.Slice(said.Result, func(a, b int) bool {
		return fmt.Sprint(said.Result[a].Labels) < fmt.Sprint(said.Result[b].Labels)
	})
	return said
}

// named fails for a metric that is not exposed, and for a label, selected or grouped by, that it does not have.
func named(known exposed, expression string) error {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return err
	}
	of := map[string]bool{}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok || err != nil {
			return nil
		}
		has := known[selector.Name]
		if has == nil {
			err = fmt.Errorf("`%s` is not exposed", selector.Name)
			return nil
		}
		for label := range has {
			of[label] = true
		}
		for _, matcher := range selector.LabelMatchers {
			if !has[matcher.Name] {
				err = fmt.Errorf("`%s` has no label `%s`", selector.Name, matcher.Name)
			}
		}
		return nil
	})
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		aggregate, ok := node.(*parser.AggregateExpr)
		if !ok {
			return nil
		}
		for _, label := range aggregate.Grouping {
			if err == nil && !of[label] {
				err = fmt.Errorf("grouped by `%s`, which nothing has", label)
			}
		}
		return nil
	})
	return err
}

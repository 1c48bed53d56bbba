package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync"
	"github.com/argoproj/gitops-engine/pkg/sync/common"
	argokube "github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/clusterreader"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crlog "sigs.k8s.io/controller-runtime/pkg/log"
)

// applied is what is in Git, what no longer is, and whose rights are used.
type applied struct {
	question
	Kubeconfig string           `json:"kubeconfig"`
	Namespace  string           `json:"namespace"`
	Stale      []map[string]any `json:"stale"`
	// Argo CD: its sync options, a project, and the operation so far.
	Options   []string             `json:"options"`
	Project   *v1alpha1.AppProject `json:"project"`
	Operation *operation           `json:"operation"`
	// Flux: how long it waits for health.
	Timeout metav1.Duration `json:"timeout"`
}

type operation struct {
	Phase     common.OperationPhase       `json:"phase"`
	Message   string                      `json:"message"`
	StartedAt metav1.Time                 `json:"startedAt"`
	Results   []common.ResourceSyncResult `json:"results"`
	Health    health.HealthStatusCode     `json:"health,omitempty"`
}

// target gives the objects of Git the namespace, as both do.
func target(contents []map[string]any, namespace string) ([]*unstructured.Unstructured, error) {
	objects := []*unstructured.Unstructured{}
	for _, content := range contents {
		object, err := object(content)
		if err != nil {
			return nil, err
		}
		object.SetNamespace(namespace)
		objects = append(objects, object)
	}
	return objects, nil
}

// syncOnce is one step of a sync operation of an Application, which Argo CD's controller repeats while the operation runs.
func syncOnce(input []byte) (*operation, error) {
	var asked applied
	if err := json.Unmarshal(input, &asked); err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", asked.Kubeconfig)
	if err != nil {
		return nil, err
	}
	kubectl := &argokube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	schema, _, err := kubectl.LoadOpenAPISchema(config)
	if err != nil {
		return nil, err
	}
	overrides, err := overrides(&asked.ConfigMap)
	if err != nil {
		return nil, err
	}
	pairs, err := pairs(&asked, kubectl, config)
	if err != nil {
		return nil, err
	}
	options := options(&asked, lua.ResourceHealthOverrides(overrides))
	context, cleanup, err := sync.NewSyncContext("main", pairs, config, config, kubectl, asked.Namespace, schema, options...)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	context.Sync()
	done := &operation{StartedAt: metav1.Now()}
	if asked.Operation != nil {
		done.StartedAt = asked.Operation.StartedAt
	}
	done.Phase, done.Message, done.Results = context.GetState()
	done.Health, err = worst(pairs.Live, lua.ResourceHealthOverrides(overrides))
	return done, err
}

// pairs puts beside every object of Git the live one, and beside nothing what is no longer in Git.
func pairs(asked *applied, kubectl argokube.Kubectl, config *rest.Config) (sync.ReconciliationResult, error) {
	var pairs sync.ReconciliationResult
	objects, err := target(asked.Objects, asked.Namespace)
	if err != nil {
		return pairs, err
	}
	stale, err := target(asked.Stale, asked.Namespace)
	if err != nil {
		return pairs, err
	}
	for index, object := range append(objects, stale...) {
		live, err := kubectl.GetResource(context.Background(), config, object.GroupVersionKind(), object.GetName(), asked.Namespace)
		if err != nil && !apierrors.IsNotFound(err) {
			return pairs, err
		}
		if err != nil {
			live = nil
		}
		wanted := object
		if index >= len(objects) {
			wanted = nil
		}
		if live != nil || wanted != nil {
			pairs.Live = append(pairs.Live, live)
			pairs.Target = append(pairs.Target, wanted)
		}
	}
	return pairs, nil
}

// options are those that Argo CD's controller gives to its engine.
func options(asked *applied, overrides health.HealthOverride) []sync.SyncOpt {
	given := v1alpha1.SyncOptions(asked.Options)
	propagation := metav1.DeletePropagationForeground
	options := []sync.SyncOpt{
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(overrides),
		sync.WithOperationSettings(false, true, false, false),
		sync.WithManifestValidation(true),
		sync.WithPruneLast(given.HasOption("PruneLast=true")),
		sync.WithPrunePropagationPolicy(&propagation),
		sync.WithServerSideApply(given.HasOption("ServerSideApply=true")),
		sync.WithServerSideApplyManager("argocd-controller"),
		sync.WithClientSideApplyMigration(true, common.DefaultClientSideApplyMigrationManager),
	}
	if asked.Project != nil {
		options = append(options, sync.WithPermissionValidator(func(object *unstructured.Unstructured, of *metav1.APIResource) error {
			if !asked.Project.IsGroupKindPermitted(object.GroupVersionKind().GroupKind(), of.Namespaced) {
				return fmt.Errorf("%s is not permitted in project %s", object.GetKind(), asked.Project.Name)
			}
			return nil
		}))
	}
	if so := asked.Operation; so != nil {
		options = append(options, sync.WithInitialState(so.Phase, so.Message, so.Results, so.StartedAt))
	} else {
		options = append(options, sync.WithInitialState(common.OperationRunning, "", nil, metav1.Now()))
	}
	return options
}

// worst is the health of an Application: that of the worst of its objects.
func worst(objects []*unstructured.Unstructured, overrides health.HealthOverride) (health.HealthStatusCode, error) {
	worst := health.HealthStatusHealthy
	for _, object := range objects {
		if object == nil {
			continue
		}
		found, err := health.GetResourceHealth(object, overrides)
		if err != nil {
			return worst, err
		}
		if found != nil && health.IsWorse(worst, found.Status) {
			worst = found.Status
		}
	}
	return worst, nil
}

type reconciled struct {
	Applied []string `json:"applied"`
	Pruned  []string `json:"pruned"`
	// Why it is not Ready.
	Unhealthy string `json:"unhealthy,omitempty"`
}

// reconcile is what Flux does with a Kustomization whose `wait` and `prune` are true, in its order: apply, prune, wait.
func reconcile(input []byte) (*reconciled, error) {
	var asked applied
	if err := json.Unmarshal(input, &asked); err != nil {
		return nil, err
	}
	crlog.SetLogger(logr.Discard())
	manager, err := manager(&asked)
	if err != nil {
		return nil, err
	}
	const group, name = "kustomize.toolkit.fluxcd.io", "refunds"
	objects, err := target(asked.Objects, asked.Namespace)
	if err != nil {
		return nil, err
	}
	manager.SetOwnerLabels(objects, name, "flux-system")
	ctx := context.Background()
	disabled := map[string]string{group + "/reconcile": "disabled"}
	changes, err := manager.ApplyAllStaged(ctx, objects, ssa.ApplyOptions{
		ExclusionSelector: disabled, WaitInterval: time.Second, WaitTimeout: asked.Timeout.Duration,
	})
	if err != nil {
		return nil, err
	}
	stale, err := target(asked.Stale, asked.Namespace)
	if err != nil {
		return nil, err
	}
	pruned, err := manager.DeleteAll(ctx, stale, ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        manager.GetOwnerLabels(name, "flux-system"),
		Exclusions:        map[string]string{group + "/prune": "disabled", group + "/reconcile": "disabled"},
	})
	if err != nil {
		return nil, err
	}
	done := &reconciled{Applied: words(changes), Pruned: words(pruned)}
	waits := ssa.WaitOptions{Interval: 200 * time.Millisecond, Timeout: asked.Timeout.Duration, FailFast: true}
	if err := manager.WaitForSet(changes.ToObjMetadataSet(), waits); err != nil {
		done.Unhealthy = err.Error()
	}
	return done, nil
}

func words(changes *ssa.ChangeSet) []string {
	words := []string{}
	for _, entry := range changes.Entries {
		words = append(words, entry.String())
	}
	return words
}

// manager is Flux's engine with a Kustomization's health checks.
func manager(asked *applied) (*ssa.ResourceManager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", asked.Kubeconfig)
	if err != nil {
		return nil, err
	}
	kube, err := client.New(config, client.Options{})
	if err != nil {
		return nil, err
	}
	readers, err := cel.PollerWithCustomHealthChecks(context.Background(), asked.Checks)
	if err != nil {
		return nil, err
	}
	options := polling.Options{
		ClusterReaderFactory: engine.ClusterReaderFactoryFunc(clusterreader.NewDirectClusterReader),
	}
	for _, reader := range readers {
		options.CustomStatusReaders = append(options.CustomStatusReaders, reader(kube.RESTMapper()))
	}
	poller := polling.NewStatusPoller(kube, kube.RESTMapper(), options)
	return ssa.NewResourceManager(kube, poller, ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"}), nil
}

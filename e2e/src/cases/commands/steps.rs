//! What each block of commands is worth, in the order in which a reader meets them.

/// What comes of a command.
#[derive(Debug, Clone, Copy)]
pub(super) enum Comes {
    /// It succeeds and says this.
    Says(&'static str),
    /// It ends with this code and says this.
    Ends(i32, &'static str),
    /// It is shown by the case of this name.
    Case(&'static str),
    /// It is a target of the Makefile.
    Make(&'static str),
    /// It is not tried, because of this.
    Untried(&'static str),
}

/// A block: its page, and how each of its lines begins.
pub(super) struct Step(pub(super) &'static str, pub(super) &'static [(&'static str, Comes)]);

use Comes::{Case, Ends, Make, Says, Untried};

const README: &str = "README.md";
const EXAMPLE: &str = "examples/refund-triage/README.md";
const WITHOUT_HELM: &str = "installed, changed by kustomize and taken away without Helm, as the book says";

/// Before an operator runs.
pub(super) const INSTALLING: &[Step] = &[Step(
    README,
    &[
        ("helm install vouchsafe ./charts/vouchsafe", Says("STATUS: deployed")),
        (
            "kubectl apply -f examples/refund-triage/policies/",
            Says("environment.vouchsafe.dev/prod created"),
        ),
    ],
)];

/// With it.
pub(super) const USING: &[Step] = &[
    Step(README, &[("cargo build && ln -sf", Says(""))]),
    Step(
        README,
        &[
            ("kubectl apply -n support-staging", Says("its pods wait until it is")),
            ("kubectl get pods -n support-staging", Says("SchedulingGated")),
            (
                "kubectl vouchsafe why agent/refund-triage",
                Says("Pending image-scanned (EvidenceMissing): there is no evidence yet"),
            ),
        ],
    ),
    Step(
        README,
        &[(
            "helm template refund ./examples/refund-triage/chart | kubectl vouchsafe promote",
            Says("Promotion"),
        )],
    ),
    Step(
        EXAMPLE,
        &[
            ("vouchsafe digest -f agent/", Says("v1:sha256:")),
            ("helm template any-name chart | vouchsafe digest", Says("v1:sha256:")),
            (
                "kustomize build kustomize/overlays/staging | vouchsafe digest",
                Says("v1:sha256:"),
            ),
        ],
    ),
    Step(
        EXAMPLE,
        &[("vouchsafe check -f agent/ --environment prod", Says("prod"))],
    ),
    Step(
        EXAMPLE,
        &[
            ("kubectl apply -f policies/", Says("unchanged")),
            (
                "kubectl apply -n support-dev",
                Says("deployment.apps/refund-triage created"),
            ),
            ("kubectl apply -n support-staging", Says("refund-triage")),
            (
                "kubectl vouchsafe why agent/refund-triage -n support-staging",
                Says("Waiting"),
            ),
        ],
    ),
    Step(
        "docs/book/concepts.md",
        &[
            ("vouchsafe digest -f examples/", Says("v1:sha256:")),
            ("helm template any-name", Says("v1:sha256:")),
            ("kustomize build examples/", Says("v1:sha256:")),
        ],
    ),
    Step(
        "docs/book/offline-check.md",
        &[
            ("vouchsafe check -f deploy/ --environment prod", Says("prod")),
            (
                "helm template refund ./chart | vouchsafe check",
                Ends(1, "there is no evidence yet"),
            ),
        ],
    ),
    Step(
        "docs/book/offline-check.md",
        &[
            ("vouchsafe digest -f deploy/", Says("v1:sha256:")),
            ("vouchsafe diff -f old/ -f new/", Says("Tell everybody")),
            ("vouchsafe pin -f deploy/ --write", Says("")),
        ],
    ),
    Step(
        "docs/book/promoting-ahead.md",
        &[
            ("helm template refund ./chart -f prod.yaml", Says("Promotion")),
            ("kustomize build overlays/prod", Ends(1, "")),
            ("kubectl vouchsafe promote -f deploy/", Says("Promotion")),
        ],
    ),
    Step(
        "docs/book/gitops.md",
        &[("kubectl patch configmap argocd-cm -n argocd", Says("patched"))],
    ),
    Step(
        "docs/book/gitops.md",
        &[
            ("kustomize build overlays/prod", Says("Promotion")),
            ("helm template refunds ./chart -f prod.yaml", Says("Promotion")),
        ],
    ),
    Step(
        "examples/gitops/README.md",
        &[
            ("kustomize build argocd", Says("kind: Application")),
            ("kustomize build flux", Says("kind: Kustomization")),
        ],
    ),
    Step(
        "docs/book/environments-and-checks.md",
        &[("kubectl label namespace support-prod", Says("namespace/support-prod"))],
    ),
    Step(
        "docs/book/evidence.md",
        &[
            (
                "trivy image --format json",
                Untried("Trivy is not ours: its reports are read by the cases of evidence"),
            ),
            ("kubectl vouchsafe attest trivy.json", Says("Evidence")),
            ("kubectl vouchsafe attest behaviour.sarif", Says("Evidence")),
        ],
    ),
    Step(
        "docs/book/evidence.md",
        &[("kubectl create -f evidence.yaml", Says("created"))],
    ),
    Step(
        "docs/book/approving.md",
        &[
            ("kubectl vouchsafe inbox", Says("refund-triage")),
            ("kubectl vouchsafe diff PROMOTION -n", Says("")),
            ("kubectl vouchsafe diff PROMOTION -f DIR", Says("")),
            ("kubectl vouchsafe why PROMOTION", Says("Promotion")),
            ("kubectl vouchsafe approve PROMOTION", Says("approved")),
            ("kubectl vouchsafe reject PROMOTION", Says("rejected")),
        ],
    ),
    Step(
        "docs/book/approving.md",
        &[
            ("kubectl vouchsafe waive PROMOTION --check", Says("Waiver")),
            ("kubectl vouchsafe approve PROMOTION --waiver", Says("approved")),
        ],
    ),
    Step(
        "docs/book/approving.md",
        &[("kubectl vouchsafe waive PROMOTION --break-glass", Says("Waiver"))],
    ),
    Step(
        "docs/book/roles.md",
        &[
            ("kubectl create rolebinding approvers", Says("created")),
            ("kubectl create rolebinding developers", Says("created")),
            ("kubectl create clusterrolebinding platform", Says("created")),
        ],
    ),
    Step(
        "docs/book/troubleshooting.md",
        &[
            ("kubectl get pods -n support-prod -l", Says("SchedulingGated")),
            ("kubectl get jobs -n support-prod -l", Says("Suspended")),
            ("kubectl vouchsafe why pod/NAME", Says("Pod")),
            ("kubectl events -n support-prod --for pod/NAME", Says("")),
        ],
    ),
    Step(
        "docs/book/troubleshooting.md",
        &[
            ("kubectl get vsenv -o custom-columns", Says("Current")),
            ("kubectl get validatingadmissionpolicies", Says("manager: helm")),
        ],
    ),
    Step(
        "docs/book/troubleshooting.md",
        &[(
            "kubectl logs -n vouchsafe-system",
            Untried("the pods of this cluster do not run"),
        )],
    ),
    Step(
        "docs/book/webhook.md",
        &[("kubectl get vsenv -o custom-columns", Says("Held"))],
    ),
    Step(
        "docs/book/upgrade.md",
        &[("helm upgrade vouchsafe", Says("STATUS: deployed"))],
    ),
];

/// An agent that nobody has declared, with it.
pub(super) const ADOPTING: &[Step] = &[
    Step(
        "docs/book/agents.md",
        &[
            ("kubectl vouchsafe adopt deployment/greeter", Says("")),
            ("kubectl vouchsafe adopt -f deploy/", Says("")),
            ("kubectl vouchsafe digest -f deploy/", Says("v1:sha256:")),
        ],
    ),
    Step(
        "docs/book/agents.md",
        &[
            ("kubectl vouchsafe status -n shop-dev", Says("greeter")),
            ("kubectl vouchsafe why agent/greeter -n shop-dev", Says("greeter")),
        ],
    ),
    Step(
        "docs/book/agents.md",
        &[("jq -cSj", Untried("jq is not ours, and not on every machine"))],
    ),
];

/// Without it.
pub(super) const LEAVING: &[Step] = &[
    Step(
        "docs/book/uninstall.md",
        &[("helm uninstall vouchsafe", Says("uninstalled"))],
    ),
    Step(
        "docs/book/uninstall.md",
        &[("kubectl get validatingadmissionpolicies", Ends(1, ""))],
    ),
    Step(
        "docs/book/uninstall.md",
        &[
            ("kubectl get pods -A -l", Says("SchedulingGated")),
            ("kubectl patch pod NAME", Says("patched")),
            ("kubectl label pod NAME", Says("labeled")),
            ("kubectl delete pods -A -l", Says("deleted")),
            ("kubectl get jobs -A -l", Says("Suspended")),
            ("kubectl patch job NAME", Says("patched")),
        ],
    ),
    Step(
        "docs/book/install.md",
        &[("helm install vouchsafe", Says("STATUS: deployed"))],
    ),
];

/// What needs nothing of what was before.
pub(super) const AGAIN: &[Step] = &[
    Step(
        "docs/book/install.md",
        &[
            ("helm install vouchsafe", Says("STATUS: deployed")),
            ("cargo build --release", Says("")),
        ],
    ),
    Step(
        "docs/book/install.md",
        &[
            ("server=", Says("")),
            ("token=", Says("")),
            ("kubectl get configmap kube-root-ca.crt", Says("")),
            ("alias k=", Says("")),
            ("k set-cluster here", Says("set")),
            ("k set-credentials operator", Says("set")),
            ("k set-context operator", Says("created")),
            ("k use-context operator", Says("Switched")),
            (
                "KUBECONFIG=operator.kubeconfig",
                Says("system:serviceaccount:vouchsafe-system:vouchsafe"),
            ),
        ],
    ),
    Step(
        "docs/book/uninstall.md",
        &[("kubectl delete crd -l", Says("agents.vouchsafe.dev"))],
    ),
];

/// Shown elsewhere.
pub(super) const ELSEWHERE: &[Step] = &[
    Step(README, &[("make demo", Make("demo")), ("make test", Make("test"))]),
    Step("docs/book/install.md", &[("make image", Make("image"))]),
    Step(
        "docs/book/install.md",
        &[("kubectl apply --server-side -f", Case(WITHOUT_HELM))],
    ),
    Step(
        "docs/book/install.md",
        &[("kubectl apply --server-side -k", Case(WITHOUT_HELM))],
    ),
    Step(
        "docs/book/uninstall.md",
        &[
            ("kinds=", Case(WITHOUT_HELM)),
            ("kubectl get $kinds", Case(WITHOUT_HELM)),
            ("kubectl delete namespace vouchsafe-probe", Case(WITHOUT_HELM)),
            ("kubectl delete clusterroles", Case(WITHOUT_HELM)),
        ],
    ),
];

{{- define "refund-triage.labels" -}}
app.kubernetes.io/name: refund-triage
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* What the agent reads: one place, for the ConfigMap and for its name. */ -}}
{{- define "refund-triage.config" -}}
limits.json: {{ .Files.Get "files/limits.json" | toJson }}
system.md: {{ .Values.systemPrompt | default (.Files.Get "files/system.md") | toJson }}
{{- end }}

{{- define "refund-triage.config-name" -}}
{{ .Release.Name }}-config-{{ include "refund-triage.config" . | fromYaml | toJson | sha256sum | trunc 10 }}
{{- end }}

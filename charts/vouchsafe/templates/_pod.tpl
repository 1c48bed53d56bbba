{{- /* Where the pods run, and before whom. */ -}}
{{- define "vouchsafe.placement" -}}
{{- with .Values.operator.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.operator.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.operator.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .Values.operator.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.operator.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml .Values.operator.topologySpreadConstraints | nindent 0 }}
{{- else if gt (int .Values.replicas) 1 }}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "vouchsafe.selector" $ | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
{{- /* Settings that are variables of the environment. */ -}}
{{- define "vouchsafe.settings" -}}
- {name: RUST_LOG, value: {{ .Values.operator.log | quote }}}
- {name: VOUCHSAFE_QUIET_MILLISECONDS, value: {{ .Values.operator.quietMilliseconds | int | quote }}}
{{- with .Values.policies.allowedSchedulingGates }}
- {name: VOUCHSAFE_ALLOWED_SCHEDULING_GATES, value: {{ join "," . | quote }}}
{{- end }}
{{- with .Values.registries.private }}
- {name: VOUCHSAFE_PRIVATE_REGISTRIES, value: {{ join "," . | quote }}}
{{- end }}
{{- with .Values.registries.plainHttp }}
- {name: VOUCHSAFE_PLAIN_HTTP_REGISTRIES, value: {{ join "," . | quote }}}
{{- end }}
{{- if .Values.registries.credentialsSecret }}
- {name: VOUCHSAFE_REGISTRY_CREDENTIALS, value: /etc/vouchsafe/credentials/.dockerconfigjson}
{{- end }}
{{- if .Values.tracing.endpoint }}
{{- include "vouchsafe.tracing" . | nindent 0 }}
{{- end }}
{{- end }}
{{- /* The standard variables of OpenTelemetry. */ -}}
{{- define "vouchsafe.tracing" -}}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .Values.tracing.endpoint | quote }}}
- {name: OTEL_TRACES_SAMPLER, value: traceidratio}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ .Values.tracing.ratio | quote }}}
{{- with .Values.tracing.resourceAttributes }}
{{- $pairs := list }}
{{- range $key, $value := . }}
{{- $pairs = append $pairs (printf "%s=%s" $key $value) }}
{{- end }}
- {name: OTEL_RESOURCE_ATTRIBUTES, value: {{ join "," $pairs | quote }}}
{{- end }}
{{- with .Values.tracing.headersSecret }}
- {name: OTEL_EXPORTER_OTLP_HEADERS, valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: headers}}}
{{- end }}
{{- if .Values.tracing.certificatesConfigMap }}
- {name: OTEL_EXPORTER_OTLP_CERTIFICATE, value: /etc/vouchsafe/collector/ca.crt}
{{- end }}
{{- end }}
{{- /* The verb, and the flags that may be given several times. */ -}}
{{- define "vouchsafe.args" -}}
{{- $args := list "operator" }}
{{- range $at, $of := .Values.registries.certificates }}
{{- $args = append $args (printf "--registry-ca=%s=/etc/vouchsafe/certificates/%d/%s" $of.registry $at ($of.key | default "ca.crt")) }}
{{- end }}
{{- $args | toJson }}
{{- end }}
{{- define "vouchsafe.volumeMounts" -}}
{{- if include "vouchsafe.mounts" . }}
volumeMounts:
{{- range $at, $_ := .Values.registries.certificates }}
- {name: certificates-{{ $at }}, mountPath: /etc/vouchsafe/certificates/{{ $at }}, readOnly: true}
{{- end }}
{{- if .Values.registries.credentialsSecret }}
- {name: credentials, mountPath: /etc/vouchsafe/credentials, readOnly: true}
{{- end }}
{{- if .Values.tracing.certificatesConfigMap }}
- {name: collector, mountPath: /etc/vouchsafe/collector, readOnly: true}
{{- end }}
{{- end }}
{{- end }}
{{- define "vouchsafe.volumes" -}}
{{- if include "vouchsafe.mounts" . }}
volumes:
{{- range $at, $of := .Values.registries.certificates }}
- {name: certificates-{{ $at }}, configMap: {name: {{ $of.configMap | quote }}}}
{{- end }}
{{- with .Values.registries.credentialsSecret }}
- {name: credentials, secret: {secretName: {{ . | quote }}}}
{{- end }}
{{- with .Values.tracing.certificatesConfigMap }}
- {name: collector, configMap: {name: {{ . | quote }}}}
{{- end }}
{{- end }}
{{- end }}

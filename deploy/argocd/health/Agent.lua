-- The verdict on what the agent is now: a Promotion that the operator made is in nobody's Git, so the Agent shows it. Where nothing is
-- held, because its namespace is in no environment or in one that only observes, it is Healthy as soon as its declaration was resolved.
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "not looked at yet"}
end
local ready
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    ready = condition
  end
end
if ready == nil then
  return {status = "Progressing", message = "not looked at yet"}
end
if ready.status ~= "True" then
  -- What it names may come with the same sync; nothing but an edit helps with the rest.
  local coming = {WorkloadNotFound = true, ConfigMapNotFound = true, SecretNotFound = true}
  return {status = coming[ready.reason] and "Progressing" or "Degraded", message = ready.reason .. ": " .. ready.message}
end
if status.environment == nil then
  return {status = "Healthy", message = "its namespace is in no environment"}
end
local verdict = status.verdict or "not judged yet"
if status.enforcement == "Observe" then
  return {status = "Healthy", message = status.environment .. " only observes: " .. verdict}
end
local shown = {
  Cleared = "Healthy",
  Waiting = "Progressing",
  AwaitingApproval = "Suspended",
  Refused = "Degraded",
  Revoked = "Degraded",
}
local message = verdict .. " for " .. status.environment
if verdict ~= "Cleared" then
  message = message .. "; kubectl vouchsafe why agent/" .. obj.metadata.name .. " -n " .. obj.metadata.namespace
end
return {status = shown[verdict] or "Progressing", message = message}

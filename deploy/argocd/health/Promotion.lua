-- Cleared is Healthy; people have to act: Suspended; machines have to: Progressing; refused, revoked, or stuck until an edit: Degraded.
-- A superseded release is Healthy: another one took its place, and nothing waits for it any more.
local status = obj.status
if status == nil or status.verdict == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "not judged yet"}
end
local shown = {
  Cleared = "Healthy",
  Waiting = "Progressing",
  AwaitingApproval = "Suspended",
  Refused = "Degraded",
  Revoked = "Degraded",
  Superseded = "Healthy",
}
local message = status.verdict
if status.waitingFor ~= nil and status.waitingFor ~= status.verdict then
  message = message .. ": " .. status.waitingFor
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Stalled" and condition.status == "True" then
    return {status = "Degraded", message = condition.reason .. ": " .. condition.message}
  end
  if condition.status == "True" and (condition.type == "Failing" or condition.type == "BreakGlass" or condition.type == "Orphaned") then
    message = message .. "; " .. condition.type .. ": " .. condition.message
  end
end
return {status = shown[status.verdict] or "Progressing", message = message}

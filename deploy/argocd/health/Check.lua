-- Degraded when its expression does not compile or its keys cannot be read: nobody but its owner can put that right.
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "not looked at yet"}
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    return {status = condition.status == "True" and "Healthy" or "Degraded", message = condition.reason .. ": " .. condition.message}
  end
end
return {status = "Progressing", message = "not looked at yet"}

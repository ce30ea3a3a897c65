import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pythonLibrary } from '../support/python.ts';

/** Kubernetes' own schemas, which bring PyYAML along; a strict reader of compose files. */
const PACKAGES = ['kubernetes-validate==1.37.0', 'compose-spec==0.2.1'];

async function python<T>(script: string, file: string): Promise<T> {
  const PYTHONPATH = await pythonLibrary('the schemas of Kubernetes and compose files', PACKAGES);
  const env = { ...process.env, PYTHONPATH };
  const { stdout } = await promisify(execFile)('python3', ['-c', script, file], { env });
  return JSON.parse(stdout) as T;
}

const READ = `
import json, sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))`;

/** Every document of a YAML file. */
export function readYaml<T>(file: string): Promise<T[]> {
  return python<T[]>(`${READ}\nprint(json.dumps(documents))`, file);
}

/** What Kubernetes would say to each document of a file: nothing, where all is well. */
export function kubernetesProblems(file: string): Promise<string[]> {
  const script = `${READ}
from kubernetes_validate import ValidationError, latest_version, validate
problems = []
for document in documents:
    try:
        validate(document, latest_version(), strict=True)
    except ValidationError as error:
        problems.append(str(error).split('\\n')[0])
print(json.dumps(problems))`;
  return python<string[]>(script, file);
}

/** What a compose file has that the specification does not know; null when there is nothing. */
export function composeProblem(file: string): Promise<string | null> {
  const script = `
import json, sys
from compose_spec import PyCompose
problem = None
try:
    PyCompose.from_yaml(open(sys.argv[1]).read()).validate()
except ValueError as error:
    problem = str(error)
print(json.dumps(problem))`;
  return python<string | null>(script, file);
}

/** The command, not shown in any help, that the scripts ask; its arguments are never evaluated. */
export const COMPLETE = '__complete';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const BASH = `# bash completion for patient
_patient() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(patient ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _patient patient
`;

const ZSH = `#compdef patient
# zsh completion for patient
_patient() {
  local -a found
  local line
  for line in "\${(@f)$(patient ${COMPLETE} "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#found} )); then
    _describe 'patient' found
  else
    _files
  fi
}
if [[ $funcstack[1] == _patient ]]; then
  _patient "$@"
else
  compdef _patient patient
fi
`;

const FISH = `# fish completion for patient
function __patient_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l found (patient ${COMPLETE} $words[2..-1] "$current" 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path "$current"
  end
end
complete -c patient -f -a '(__patient_complete)'
`;

export const SCRIPTS: Record<Shell, string> = { bash: BASH, zsh: ZSH, fish: FISH };

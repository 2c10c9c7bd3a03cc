# soong as a plugin of oh-my-zsh, which has called compinit by now.
if (( ${+commands[soong]} )); then
    eval "$(${commands[soong]} init zsh)"
fi
